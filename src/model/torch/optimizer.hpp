#pragma once

#include "scenario/training.hpp"

#include <ATen/TensorOperators.h>

#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

struct optimizer_settings {
    optimizer_kind kind = optimizer_kind::sgd;
    double momentum = 0.9; ///< sgd
    double weight_decay = 0.0;
};

/// SGD with momentum, or AdamW (Loshchilov and Hutter, ICLR 2019; betas 0.9 and 0.999, eps 1e-8), with PyTorch's
/// definitions. The state belongs to the client: it is neither averaged nor sent.
class optimizer {
public:
    explicit optimizer(optimizer_settings given): settings_(given) {}

    /// One step on leaf tensors with their .grad; clears the gradients. Always the same tensors in the same order.
    void step(std::vector<at::Tensor>& parameters, double learning_rate);

    /// Tensors of the state, two lists at most, and the number of steps: what a checkpoint keeps.
    std::vector<at::Tensor>& first_moments() { return first_; }
    std::vector<at::Tensor>& second_moments() { return second_; }
    std::int64_t steps() const { return steps_; }
    void restore(std::vector<at::Tensor> first, std::vector<at::Tensor> second, std::int64_t steps);

private:
    bool step_fused(std::vector<at::Tensor>& parameters, double learning_rate);

    optimizer_settings settings_;
    std::vector<at::Tensor> first_;  ///< Momentum, or first moment
    std::vector<at::Tensor> second_; ///< AdamW's second moment
    std::int64_t steps_ = 0;
};

} // namespace gaisnet
