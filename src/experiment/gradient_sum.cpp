#include "experiment/gradient_sum.hpp"

#include <ATen/ops/empty_like.h>

#include <cmath>
#include <thread>

namespace gaisnet {

namespace {

constexpr int fraction_bits = 40;
constexpr float largest = 1 << 14; // of at most 256 parts, in 63 bits

} // namespace

gradient_sum::gradient_sum(const std::vector<at::Tensor>& parameters) {
    for (const auto& parameter : parameters) {
        elements_ += static_cast<std::size_t>(parameter.numel());
    }
    clear();
}

void gradient_sum::clear() { sums_->assign(elements_ + 1, 0); }

void gradient_sum::take(std::vector<at::Tensor>& parameters) {
    std::size_t at = 0;
    bool unusable = false;
    for (auto& parameter : parameters) {
        const auto size = static_cast<std::size_t>(parameter.numel());
        if (parameter.grad().defined()) { // otherwise no computation used it
            const auto gradient = parameter.grad().contiguous();
            const auto* values = gradient.data_ptr<float>();
            for (std::size_t i = 0; i < size; ++i) {
                if (std::abs(values[i]) < largest) { // also false for NaN
                    (*sums_)[at + i] += std::llrint(std::ldexp(static_cast<double>(values[i]), fraction_bits));
                } else {
                    unusable = true;
                }
            }
            parameter.mutable_grad().reset();
        }
        at += size;
    }
    sums_->back() += unusable ? 1 : 0;
}

bool gradient_sum::exchange(std::vector<at::Tensor>& parameters, transport& network, const std::vector<int>& everyone) {
    const auto pending = network.sum(sums_, everyone);
    while (!pending->done()) {
        std::this_thread::yield();
    }
    if (sums_->back() != 0) {
        return false;
    }
    std::size_t at = 0;
    for (auto& parameter : parameters) {
        auto gradient = at::empty_like(parameter, at::TensorOptions().requires_grad(false));
        auto* values = gradient.data_ptr<float>();
        for (std::int64_t i = 0; i < gradient.numel(); ++i) {
            values[i] = static_cast<float>(std::ldexp(static_cast<double>((*sums_)[at++]), -fraction_bits));
        }
        parameter.mutable_grad() = gradient;
    }
    return true;
}

} // namespace gaisnet
