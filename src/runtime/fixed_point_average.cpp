#include "runtime/fixed_point_average.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gaisnet {

namespace {

enum status_word : std::int64_t { good = 0, not_finite = 1, too_large = 2 };

int largest_scale(std::int64_t total_weight) {
    const double bound = static_cast<double>(total_weight) * fixed_point_average::largest_magnitude;
    int bits = 0;
    while (std::ldexp(bound, bits + 1) < std::ldexp(1.0, 62)) {
        ++bits;
    }
    return bits;
}

} // namespace

fixed_point_average::fixed_point_average(std::vector<std::int64_t> tensor_elements, std::int64_t total_weight,
                                         std::size_t contributions)
    : tensor_elements_(std::move(tensor_elements))
    , elements_(std::accumulate(tensor_elements_.begin(), tensor_elements_.end(), std::int64_t{0}))
    , scale_bits_(largest_scale(total_weight))
    , buffer_(std::make_shared<std::vector<std::int64_t>>(
          static_cast<std::size_t>(elements_) + tensor_elements_.size() + contributions, 0)) {}

void fixed_point_average::add(const contribution& given) {
    const double factor = std::ldexp(static_cast<double>(given.weight), scale_bits_);
    const auto* values = given.modules.as<float>();
    auto* weights = buffer_->data() + elements_;
    auto& status = (*buffer_)[static_cast<std::size_t>(elements_) + tensor_elements_.size() + given.index];
    for (const auto& slice : *given.slices) {
        weights[slice.tensor] += given.weight;
        auto* sums = buffer_->data() + slice.in_model;
        for (std::int64_t i = 0; i < slice.elements; ++i) {
            const double value = values[slice.in_message + i];
            if (!(std::abs(value) <= largest_magnitude)) {
                status = std::isfinite(value) ? too_large : not_finite;
                continue;
            }
            sums[i] += std::llrint(value * factor);
        }
    }
}

tensor_view fixed_point_average::result(const std::vector<std::string>& contributors, bool nan_for_bad) const {
    const auto* weights = buffer_->data() + elements_;
    const auto* status = weights + tensor_elements_.size();
    std::string bad;
    for (std::size_t i = 0; i < contributors.size(); ++i) {
        if (status[i] != good) {
            bad += (bad.empty() ? "" : ", ") + contributors[i] +
                   (status[i] == not_finite ? " (a value is not finite)" : " (a value is larger than 1024)");
        }
    }
    auto average = tensor_view::allocate({elements_});
    auto* out = average.as<float>();
    if (!bad.empty() && nan_for_bad) {
        std::fill(out, out + elements_, std::numeric_limits<float>::quiet_NaN());
        return average;
    }
    if (!bad.empty()) {
        throw runtime_failure(
            "training diverged: FedAvg got unusable tunables from " + bad + "; a smaller train.lr may help", true);
    }
    const std::int64_t* sums = buffer_->data();
    for (std::size_t tensor = 0; tensor < tensor_elements_.size(); ++tensor) {
        if (weights[tensor] <= 0) {
            throw runtime_failure("FedAvg: nobody contributed tensor number " + std::to_string(tensor));
        }
        const double divisor = std::ldexp(static_cast<double>(weights[tensor]), scale_bits_);
        for (std::int64_t i = 0; i < tensor_elements_[tensor]; ++i) {
            *out++ = static_cast<float>(static_cast<double>(*sums++) / divisor);
        }
    }
    return average;
}

} // namespace gaisnet
