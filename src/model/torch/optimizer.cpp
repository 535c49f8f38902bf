#include "model/torch/optimizer.hpp"

#include "model/torch/torch_support.hpp"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace gaisnet {

namespace {

/// On GPUs one kernel updates all parameters: separate kernels would take longer to launch than to run.
bool update_fused(const optimizer_settings& settings, const optimizer_tensors& all, double learning_rate,
                  std::int64_t steps) {
    if (all.parameters.empty() || !all.parameters.front().is_cuda()) {
        return false;
    }
    const bool adam = settings.kind == optimizer_kind::adamw;
    optimizer_tensors some;
    for (std::size_t i = 0; i < all.parameters.size(); ++i) {
        if (all.gradients[i].defined()) {
            some.parameters.push_back(all.parameters[i]);
            some.gradients.push_back(all.gradients[i]);
            some.first.push_back(all.first[i]);
            if (adam) {
                some.second.push_back(all.second[i]);
            }
        }
    }
    if (some.parameters.empty()) {
        return true;
    }
    const fused_step step{some.parameters, some.gradients,        some.first,        some.second,
                          learning_rate,   settings.weight_decay, settings.momentum, steps};
    return adam ? fused_adamw(step) : fused_sgd(step);
}

} // namespace

void update(const optimizer_settings& settings, const optimizer_tensors& all, double learning_rate,
            std::int64_t steps) {
    const c10::NoGradGuard no_grad;
    if (update_fused(settings, all, learning_rate, steps)) {
        return;
    }
    constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(steps));
    const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(steps));
    for (std::size_t i = 0; i < all.parameters.size(); ++i) {
        const auto &parameter = all.parameters[i], &gradient = all.gradients[i], &first = all.first[i];
        if (!gradient.defined()) {
            continue;
        }
        if (settings.kind == optimizer_kind::adamw) {
            const auto& second = all.second[i];
            parameter.mul_(1.0 - learning_rate * settings.weight_decay);
            first.mul_(beta1).add_(gradient, 1.0 - beta1);
            second.mul_(beta2).addcmul_(gradient, gradient, 1.0 - beta2);
            const auto root = (second.sqrt() / std::sqrt(correction2)).add_(epsilon);
            parameter.addcdiv_(first, root, -learning_rate / correction1);
        } else {
            gradient.add_(parameter, settings.weight_decay);
            // As in PyTorch, the first step from a zero buffer yields the gradient itself.
            first.mul_(settings.momentum).add_(gradient);
            parameter.add_(first, -learning_rate);
        }
    }
}

void begin_moments(const optimizer_settings& settings, std::span<const at::Tensor> parameters,
                   std::vector<at::Tensor>& first, std::vector<at::Tensor>& second) {
    const c10::NoGradGuard no_grad;
    for (const auto& parameter : parameters) {
        first.push_back(at::zeros_like(parameter));
        if (settings.kind == optimizer_kind::adamw) {
            second.push_back(at::zeros_like(parameter));
        }
    }
}

void optimizer::step(std::vector<at::Tensor>& parameters, double learning_rate) {
    if (first_.empty()) {
        begin_moments(settings_, parameters, first_, second_);
    }
    optimizer_tensors all{parameters, {}, first_, second_};
    for (const auto& parameter : parameters) {
        all.gradients.push_back(parameter.grad());
    }
    update(settings_, all, learning_rate, ++steps_);
    for (auto& parameter : parameters) {
        parameter.mutable_grad().reset();
    }
}

void optimizer::restore(std::vector<at::Tensor> first, std::vector<at::Tensor> second, std::int64_t steps) {
    first_ = std::move(first);
    second_ = std::move(second);
    steps_ = steps;
}

} // namespace gaisnet
