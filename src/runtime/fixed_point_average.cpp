#include "runtime/fixed_point_average.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

/// The part of a layout that has a tensor.
const summed_tensors& part_with(const average_layout& layout, std::uint32_t tensor) {
    const auto past = std::upper_bound(layout.parts.begin(), layout.parts.end(), tensor,
                                       [](std::uint32_t one, const auto& part) { return one < part.first; });
    return *std::prev(past);
}

} // namespace

fixed_point_average::fixed_point_average(average_layout layout, std::int64_t total_weight, std::size_t contributions)
    : layout_(std::move(layout))
    , scale_bits_(largest_scale(total_weight))
    , buffer_(std::make_shared<std::vector<std::int64_t>>(
          static_cast<std::size_t>(layout_.elements + layout_.weights) + contributions, 0)) {}

void fixed_point_average::add(const contribution& given) {
    auto* weights = buffer_->data() + layout_.elements;
    auto& status = weights[layout_.weights + given.index];
    const std::span slices(*given.slices);
    for (std::size_t i = 0; i < slices.size();) {
        const auto& part = part_with(layout_, slices[i].tensor);
        const auto size = part.weights > 1 ? part.size_of(slices[i].elements) : 1;
        for (std::int64_t k = 0; k < size; ++k) {
            weights[part.first_weight + k] += given.weight;
        }
        if (part.joint) {
            add_joint(part, given, slices.subspan(i, part.tensors), status);
        } else {
            add_values(part, given, slices[i], status);
        }
        i += part.tensors;
    }
}

void fixed_point_average::add_values(const summed_tensors& part, const contribution& given, const tunable_slice& slice,
                                     std::int64_t& status) {
    const double factor = std::ldexp(static_cast<double>(given.weight), scale_bits_);
    slice.for_each_row([&](std::int64_t in_model, std::int64_t in_message, std::int64_t elements) {
        const auto* values = given.modules.as<float>() + in_message;
        auto* sums = buffer_->data() + part.in_sum + (in_model - part.in_model);
        for (std::int64_t i = 0; i < elements; ++i) {
            const double value = values[i];
            if (!(std::abs(value) <= largest_magnitude)) {
                status = std::isfinite(value) ? too_large : not_finite;
                continue;
            }
            sums[i] += std::llrint(value * factor);
        }
    });
}

void fixed_point_average::add_joint(const summed_tensors& part, const contribution& given,
                                    std::span<const tunable_slice> slices, std::int64_t& status) {
    const double factor = std::ldexp(static_cast<double>(given.weight), scale_bits_);
    std::vector<const float*> tensors;
    for (const auto& slice : slices) {
        tensors.push_back(given.modules.as<float>() + slice.in_message);
    }
    std::vector<double> values(static_cast<std::size_t>(part.elements));
    part.joint->combine(tensors, part.size_of(slices.front().elements), values);
    auto* sums = buffer_->data() + part.in_sum;
    for (const double value : values) {
        if (std::abs(value) <= largest_magnitude) {
            *sums += std::llrint(value * factor);
        } else {
            status = std::isfinite(value) ? too_large : not_finite;
        }
        ++sums;
    }
}

/// What sums of this weight are divided by.
double fixed_point_average::divisor_of(const summed_tensors& part, std::int64_t weight) const {
    if (weight <= 0) {
        throw runtime_failure("FedAvg: nobody contributed tensor number " + std::to_string(part.first));
    }
    return std::ldexp(static_cast<double>(weight), scale_bits_);
}

void fixed_point_average::average_values(const summed_tensors& part, const tensor_view& last, float* model) const {
    const auto* weights = buffer_->data() + layout_.elements + part.first_weight;
    const auto* sums = buffer_->data() + part.in_sum;
    std::int64_t slice = 0;
    for (std::int64_t first = 0; first < part.elements; first += part.width, slice = (slice + 1) % part.weights) {
        if (slice > 0 && weights[slice] == 0 && last.data) { // the first slice somebody has
            std::copy_n(last.as<float>() + part.in_model + first, part.width, model + first);
            continue;
        }
        const double divisor = divisor_of(part, weights[slice]);
        for (std::int64_t i = first; i < first + part.width; ++i) {
            model[i] = static_cast<float>(static_cast<double>(sums[i]) / divisor);
        }
    }
}

tensor_view fixed_point_average::result(const std::vector<std::string>& contributors, bool nan_for_bad,
                                        const tensor_view& last) const {
    const auto* weights = buffer_->data() + layout_.elements;
    const auto* status = weights + layout_.weights;
    std::string bad;
    for (std::size_t i = 0; i < contributors.size(); ++i) {
        if (status[i] != good) {
            bad += (bad.empty() ? "" : ", ") + contributors[i] +
                   (status[i] == not_finite ? " (a value is not finite)" : " (a value is larger than 1024)");
        }
    }
    auto average = tensor_view::allocate({layout_.values});
    auto* out = average.as<float>();
    if (!bad.empty() && nan_for_bad) {
        std::fill(out, out + layout_.values, std::numeric_limits<float>::quiet_NaN());
        return average;
    }
    if (!bad.empty()) {
        throw runtime_failure(
            "training diverged: FedAvg got unusable tunables from " + bad + "; a smaller train.lr may help", true);
    }
    for (std::size_t i = 0; i < layout_.parts.size(); ++i) {
        const auto& part = layout_.parts[i];
        if (!part.joint) {
            average_values(part, last, out + part.in_model);
            continue;
        }
        const double divisor = divisor_of(part, weights[part.first_weight]);
        std::vector<double> mean(static_cast<std::size_t>(part.elements));
        std::transform(buffer_->begin() + part.in_sum, buffer_->begin() + part.in_sum + part.elements, mean.begin(),
                       [&](std::int64_t sum) { return static_cast<double>(sum) / divisor; });
        const auto end = i + 1 < layout_.parts.size() ? layout_.parts[i + 1].in_model : layout_.values;
        part.joint->divide(mean, std::span(out + part.in_model, static_cast<std::size_t>(end - part.in_model)));
    }
    return average;
}

} // namespace gaisnet
