#include "model/torch/torch_support.hpp"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <vector>

namespace gaisnet {

// It rounds otherwise with gradients than without.
bool computes_attention_on_cpus() { return false; }

at::Tensor fused_attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values, bool causal,
                           const at::Tensor& padding) {
    if (padding.defined()) {
        return {};
    }
    return at::scaled_dot_product_attention(query, keys, values, /*attn_mask=*/{}, /*dropout_p=*/0.0, causal);
}

at::Tensor affine_of_each(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const auto of_each = weight.t().unsqueeze(0).expand({input.size(0), weight.size(1), weight.size(0)});
    return bias.defined() ? at::baddbmm(bias, input, of_each) : at::bmm(input, of_each);
}

// The moments exist from the first step, initialised to zero, so that the first step equals PyTorch's. Without momentum
// the GPU kernel rejects them.
bool fused_sgd(const fused_step& all) {
    at::_fused_sgd_(all.parameters, all.gradients, all.momentum > 0.0 ? all.first_moments : at::TensorList(),
                    all.weight_decay, all.momentum, all.learning_rate,
                    /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false);
    return true;
}

bool fused_adamw(const fused_step& all) {
    // A kernel fills it, so that nothing is copied from the host.
    const auto steps = at::full({}, static_cast<double>(all.steps), all.parameters[0].options());
    const std::vector<at::Tensor> of_each(all.parameters.size(), steps);
    at::_fused_adamw_(all.parameters, all.gradients, all.first_moments, all.second_moments, /*max_exp_avg_sqs=*/{},
                      of_each, all.learning_rate, /*beta1=*/0.9, /*beta2=*/0.999, all.weight_decay, /*eps=*/1e-8,
                      /*amsgrad=*/false, /*maximize=*/false);
    return true;
}

} // namespace gaisnet
