#include "base/registry.hpp"
#include "model/torch/backbone.hpp"
#include "model/torch/torch_support.hpp"
#include "model/vit/vit.hpp"

#include <ATen/ops/baddbmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cmath>

namespace gaisnet {

namespace {

constexpr double norm_epsilon = 1e-6;

/// Weights of one block, in the order of vit::block_tensors().
struct block_weights {
    explicit block_weights(weights_view all)
        : norm1_weight(all[0])
        , norm1_bias(all[1])
        , qkv_weight(all[2])
        , qkv_bias(all[3])
        , proj_weight(all[4])
        , proj_bias(all[5])
        , norm2_weight(all[6])
        , norm2_bias(all[7])
        , fc1_weight(all[8])
        , fc1_bias(all[9])
        , fc2_weight(all[10])
        , fc2_bias(all[11]) {}

    const at::Tensor &norm1_weight, &norm1_bias, &qkv_weight, &qkv_bias, &proj_weight, &proj_bias, &norm2_weight,
        &norm2_bias, &fc1_weight, &fc1_bias, &fc2_weight, &fc2_bias;
};

/// x W' + b for x [n, tokens, in]. Without gradients each sample has its own product: in one product over all samples a
/// row's rounding may depend on its position, so that cached outputs and answers would depend on the rest of the batch.
at::Tensor affine(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const bool differentiated =
        c10::GradMode::is_enabled() && (input.requires_grad() || weight.requires_grad() || bias.requires_grad());
    if (differentiated || !input.is_cpu() || input.scalar_type() != at::kFloat) {
        return at::linear(input, weight, bias);
    }
    return at::baddbmm(bias, input, weight.t().unsqueeze(0).expand({input.size(0), weight.size(1), weight.size(0)}));
}

/// A linear layer, with the addition of a tuning method.
at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const block_hooks& hooks,
                  block_linear which) {
    const auto output = affine(input, weight, bias);
    const auto change = hooks.linear ? hooks.linear(which, input) : at::Tensor();
    return change.defined() ? output + change : output;
}

/// Query, keys and values [n, heads, tokens, dim / heads]. Their changes are added separately, so that an unchanged one
/// has no gradient.
std::array<at::Tensor, 3> project(std::int64_t heads, const block_weights& w, const at::Tensor& tokens,
                                  const block_hooks& hooks) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto all = affine(tokens, w.qkv_weight, w.qkv_bias).reshape({n, length, 3, heads, dim / heads});
    std::array<at::Tensor, 3> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto part = all.select(2, static_cast<std::int64_t>(i));
        const auto change = hooks.linear ? hooks.linear(static_cast<block_linear>(i), tokens) : at::Tensor();
        parts[i] = (change.defined() ? part + change.reshape(part.sizes()) : part).transpose(1, 2);
    }
    return parts;
}

/// Scaled dot-product attention [n, heads, tokens, dim / heads]. The charge is for these two products, even where one
/// kernel does both.
at::Tensor attend(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values) {
    if (query.is_cuda()) {
        if (auto mixed = fused_attention(query, keys, values); mixed.defined()) {
            return mixed;
        }
    }
    const auto scaled = query * (1.0 / std::sqrt(static_cast<double>(query.size(-1))));
    return at::matmul(at::softmax(at::matmul(scaled, keys.transpose(-2, -1)), -1), values);
}

at::Tensor attention(std::int64_t heads, const block_weights& w, const at::Tensor& tokens, const block_hooks& hooks) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto head_dim = dim / heads;
    const auto qkv = project(heads, w, tokens, hooks);
    const auto with_prefix = [&](const at::Tensor& prefix, const at::Tensor& own) {
        if (!prefix.defined()) {
            return own;
        }
        const auto of_heads = prefix.to(own.scalar_type()).reshape({1, -1, heads, head_dim}).transpose(1, 2);
        return at::cat({of_heads.expand({n, heads, prefix.size(0), head_dim}), own}, 2);
    };
    const auto keys = with_prefix(hooks.prefix_keys, qkv[1]), values = with_prefix(hooks.prefix_values, qkv[2]);
    const auto mixed = attend(qkv[0], keys, values).transpose(1, 2).reshape({n, length, dim});
    return linear(mixed, w.proj_weight, w.proj_bias, hooks, block_linear::projection);
}

class vit_forward final : public family_forward {
public:
    explicit vit_forward(const vit& model): patch_(model.patch()), heads_(model.shape().heads) {}

    at::Tensor embed(weights_view w, const at::Tensor& images) const override {
        const auto &cls_token = w[0], &pos_embed = w[1], &patch_weight = w[2], &patch_bias = w[3];
        const auto n = images.size(0);
        const auto patches = at::conv2d(images.to(patch_weight.device()).to(patch_weight.scalar_type()), patch_weight,
                                        patch_bias, /*stride=*/patch_);
        const auto tokens = patches.flatten(2).transpose(1, 2);
        return at::cat({cls_token.expand({n, 1, cls_token.size(2)}), tokens}, 1) + pos_embed;
    }

    at::Tensor run_block(weights_view weights, const at::Tensor& tokens, const block_hooks& hooks) const override {
        const block_weights w(weights);
        const auto dim = tokens.size(-1);
        const auto changed = [&](int sublayer, at::Tensor output) {
            return hooks.sublayer ? hooks.sublayer(sublayer, output) : output;
        };
        const auto normal = at::layer_norm(tokens, {dim}, w.norm1_weight, w.norm1_bias, norm_epsilon);
        const auto attended = tokens + changed(0, attention(heads_, w, normal, hooks));
        const auto second = at::layer_norm(attended, {dim}, w.norm2_weight, w.norm2_bias, norm_epsilon);
        const auto hidden = at::gelu(linear(second, w.fc1_weight, w.fc1_bias, hooks, block_linear::fc1));
        return attended + changed(1, linear(hidden, w.fc2_weight, w.fc2_bias, hooks, block_linear::fc2));
    }

    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        return at::layer_norm(tokens.to(at::kFloat), {tokens.size(-1)}, w[0], w[1], norm_epsilon);
    }

private:
    std::int64_t patch_, heads_;
};

const registration<forward_entry> registered_vit_forward{
    {"vit", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<vit_forward>(dynamic_cast<const vit&>(model));
     }}};

} // namespace

} // namespace gaisnet
