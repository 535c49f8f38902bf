#pragma once

#include "scenario/training.hpp"

#include <ATen/TensorOperators.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

struct optimizer_settings {
    optimizer_kind kind = optimizer_kind::sgd;
    double momentum = 0.9; ///< sgd
    double weight_decay = 0.0;
};

/// What a step changes.
struct optimizer_tensors {
    std::vector<at::Tensor> parameters;
    std::vector<at::Tensor> gradients; ///< Undefined where there is none; may be overwritten.
    std::vector<at::Tensor> first;     ///< Momentum or first moment.
    std::vector<at::Tensor> second;    ///< Second moment of AdamW; otherwise empty.
};
/// One step of SGD with momentum, or of AdamW (Loshchilov and Hutter, ICLR 2019; betas 0.9 and 0.999, eps 1e-8), as
/// PyTorch defines them. \param steps so far, with this one
void update(const optimizer_settings&, const optimizer_tensors&, double learning_rate, std::int64_t steps);

/// The state of an optimiser before its first step: zeros like the parameters.
void begin_moments(const optimizer_settings&, std::span<const at::Tensor> parameters, std::vector<at::Tensor>& first,
                   std::vector<at::Tensor>& second);

/// An optimiser of leaf tensors. The state stays with the client: it is neither averaged nor sent.
class optimizer {
public:
    explicit optimizer(optimizer_settings given): settings_(given) {}

    /// Updates them from their .grad and clears the gradients. Every call needs the same tensors in the same order.
    void step(std::vector<at::Tensor>& parameters, double learning_rate);

    /// State for a checkpoint: at most two lists of tensors (see optimizer_tensors), and the number of steps.
    std::vector<at::Tensor>& first_moments() { return first_; }
    std::vector<at::Tensor>& second_moments() { return second_; }
    std::int64_t steps() const { return steps_; }
    void restore(std::vector<at::Tensor> first, std::vector<at::Tensor> second, std::int64_t steps);

private:
    optimizer_settings settings_;
    std::vector<at::Tensor> first_, second_;
    std::int64_t steps_ = 0;
};

} // namespace gaisnet
