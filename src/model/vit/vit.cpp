#include "model/vit/vit.hpp"

#include "model/torch/torch_support.hpp"

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
std::array<at::Tensor, 3> project(const vit_config& vit, const block_weights& w, const at::Tensor& tokens,
                                  const block_hooks& hooks) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto all = affine(tokens, w.qkv_weight, w.qkv_bias).reshape({n, length, 3, vit.heads, dim / vit.heads});
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

at::Tensor attention(const vit_config& vit, const block_weights& w, const at::Tensor& tokens,
                     const block_hooks& hooks) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto head_dim = dim / vit.heads;
    const auto qkv = project(vit, w, tokens, hooks);
    const auto with_prefix = [&](const at::Tensor& prefix, const at::Tensor& own) {
        if (!prefix.defined()) {
            return own;
        }
        const auto heads = prefix.to(own.scalar_type()).reshape({1, -1, vit.heads, head_dim}).transpose(1, 2);
        return at::cat({heads.expand({n, vit.heads, prefix.size(0), head_dim}), own}, 2);
    };
    const auto keys = with_prefix(hooks.prefix_keys, qkv[1]), values = with_prefix(hooks.prefix_values, qkv[2]);
    const auto mixed = attend(qkv[0], keys, values).transpose(1, 2).reshape({n, length, dim});
    return linear(mixed, w.proj_weight, w.proj_bias, hooks, block_linear::projection);
}

} // namespace

at::Tensor vit_backbone::embed(const at::Tensor& images) const {
    const auto n = images.size(0);
    const auto patches = at::conv2d(images.to(device()).to(type()), patch_weight, patch_bias, /*stride=*/config.patch);
    const auto tokens = patches.flatten(2).transpose(1, 2);
    return at::cat({cls_token.expand({n, 1, config.dim}), tokens}, 1) + pos_embed;
}

at::Tensor run_block(const vit_config& vit, const block_weights& w, const at::Tensor& tokens,
                     const block_hooks& hooks) {
    const auto changed = [&](int sublayer, at::Tensor output) {
        return hooks.sublayer ? hooks.sublayer(sublayer, output) : output;
    };
    const auto normal = at::layer_norm(tokens, {vit.dim}, w.norm1_weight, w.norm1_bias, norm_epsilon);
    const auto attended = tokens + changed(0, attention(vit, w, normal, hooks));
    const auto second = at::layer_norm(attended, {vit.dim}, w.norm2_weight, w.norm2_bias, norm_epsilon);
    const auto hidden = at::gelu(linear(second, w.fc1_weight, w.fc1_bias, hooks, block_linear::fc1));
    return attended + changed(1, linear(hidden, w.fc2_weight, w.fc2_bias, hooks, block_linear::fc2));
}

at::Tensor vit_backbone::normalise(const at::Tensor& tokens) const {
    return at::layer_norm(tokens.to(at::kFloat), {config.dim}, norm_weight, norm_bias, norm_epsilon);
}

// A copy, because for a view autograd would keep all tokens alive.
at::Tensor cls_of(const at::Tensor& tokens) { return tokens.select(1, 0).clone(); }

block_weights make_block(std::span<const at::Tensor> tensors) {
    block_weights w;
    at::Tensor* const fields[] = {&w.norm1_weight, &w.norm1_bias, &w.qkv_weight,   &w.qkv_bias,
                                  &w.proj_weight,  &w.proj_bias,  &w.norm2_weight, &w.norm2_bias,
                                  &w.fc1_weight,   &w.fc1_bias,   &w.fc2_weight,   &w.fc2_bias};
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        *fields[i] = tensors[i];
    }
    return w;
}

vit_backbone make_backbone(const vit_config& vit, const std::function<at::Tensor(const tensor_spec&)>& tensor) {
    vit_backbone out;
    out.config = vit;
    const auto embedding = embedding_tensors(vit);
    out.cls_token = tensor(embedding[0]);
    out.pos_embed = tensor(embedding[1]);
    out.patch_weight = tensor(embedding[2]);
    out.patch_bias = tensor(embedding[3]);
    for (std::int64_t block = 0; block < vit.depth; ++block) {
        std::vector<at::Tensor> tensors;
        for (const auto& spec : block_tensors(vit, block)) {
            tensors.push_back(tensor(spec));
        }
        out.blocks.push_back(make_block(tensors));
    }
    const auto norm = norm_tensors(vit);
    out.norm_weight = tensor(norm[0]);
    out.norm_bias = tensor(norm[1]);
    return out;
}

} // namespace gaisnet
