#include "model/torch/optimizer.hpp"

#include "model/torch/torch_support.hpp"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace gaisnet {

void optimizer::step(std::vector<at::Tensor>& parameters, double learning_rate) {
    const c10::NoGradGuard no_grad;
    const bool adam = settings_.kind == optimizer_kind::adamw;
    if (first_.empty()) {
        for (const auto& parameter : parameters) {
            first_.push_back(at::zeros_like(parameter));
            if (adam) {
                second_.push_back(at::zeros_like(parameter));
            }
        }
    }
    ++steps_;
    if (step_fused(parameters, learning_rate)) {
        return;
    }
    constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(steps_));
    const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(steps_));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        auto& parameter = parameters[i];
        auto gradient = parameter.grad();
        if (!gradient.defined()) {
            continue;
        }
        if (adam) {
            parameter.mul_(1.0 - learning_rate * settings_.weight_decay);
            first_[i].mul_(beta1).add_(gradient, 1.0 - beta1);
            second_[i].mul_(beta2).addcmul_(gradient, gradient, 1.0 - beta2);
            const auto root = (second_[i].sqrt() / std::sqrt(correction2)).add_(epsilon);
            parameter.addcdiv_(first_[i], root, -learning_rate / correction1);
        } else {
            gradient.add_(parameter, settings_.weight_decay);
            // As in PyTorch, the first step from a zero buffer yields the gradient itself.
            first_[i].mul_(settings_.momentum).add_(gradient);
            parameter.add_(first_[i], -learning_rate);
        }
        parameter.mutable_grad().reset();
    }
}

/// On GPUs one kernel updates all parameters: separate kernels would take longer to launch than to run.
bool optimizer::step_fused(std::vector<at::Tensor>& parameters, double learning_rate) {
    if (parameters.empty() || !parameters.front().is_cuda()) {
        return false;
    }
    std::vector<at::Tensor> some, gradients, first, second;
    const bool adam = settings_.kind == optimizer_kind::adamw;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (auto gradient = parameters[i].grad(); gradient.defined()) {
            some.push_back(parameters[i]);
            gradients.push_back(std::move(gradient));
            first.push_back(first_[i]);
            if (adam) {
                second.push_back(second_[i]);
            }
        }
    }
    const fused_step all{some,  gradients, first, second, learning_rate, settings_.weight_decay, settings_.momentum,
                         steps_};
    if (some.empty() || !(adam ? fused_adamw(all) : fused_sgd(all))) {
        return some.empty();
    }
    for (auto& parameter : some) {
        parameter.mutable_grad().reset();
    }
    return true;
}

void optimizer::restore(std::vector<at::Tensor> first, std::vector<at::Tensor> second, std::int64_t steps) {
    first_ = std::move(first);
    second_ = std::move(second);
    steps_ = steps;
}

} // namespace gaisnet
