#include "model/torch/attention.hpp"

#include "base/error.hpp"
#include "model/torch/members.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/addmv.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <limits>
#include <tuple>

namespace gaisnet {

namespace {

/// Keys or values [n, heads, more, width] with those of the prefixes [members, prefixes, heads x width] before them.
at::Tensor with_prefix(const at::Tensor& prefix, const at::Tensor& own) {
    if (!prefix.defined()) {
        return own;
    }
    const auto n = own.size(0), heads = own.size(1);
    return at::cat({of_heads(for_samples(prefix.to(own.scalar_type()), n), heads), own}, 2);
}

/// What is added to scores: 0, or minus infinity for a pair that does not attend. Undefined: nothing.
/// \returns [groups x tokens, keys] or [n, 1, 1, keys]
at::Tensor mask_of(const at::Tensor& query, std::int64_t keys, std::int64_t groups, bool causal,
                   const at::Tensor& padding) {
    constexpr auto never = -std::numeric_limits<double>::infinity();
    const auto tokens = query.size(2);
    const auto options = query.options().requires_grad(false);
    if (causal) { // padding stands behind all real tokens, so they do not attend to it
        return tokens == 1 ? at::Tensor()
                           : at::full({groups, tokens, keys}, never, options)
                                 .triu_(keys - tokens + 1)
                                 .view({groups * tokens, keys});
    }
    if (!padding.defined()) {
        return {};
    }
    const auto place = at::arange(keys, options.dtype(at::kLong)).view({1, 1, 1, keys});
    const auto real = keys - padding.to(query.device()).view({-1, 1, 1, 1});
    return at::zeros({padding.size(0), 1, 1, keys}, options).masked_fill_(place.ge(real), never);
}

bool needs_gradient(const at::Tensor& one) {
    return c10::GradMode::is_enabled() && one.defined() && one.requires_grad();
}

at::Tensor repeated(const at::Tensor& of_group, std::int64_t groups) {
    return groups == 1 ? of_group : of_group.repeat_interleave(groups, 1);
}

thread_local int counting = 0;

} // namespace

counted_operations::counted_operations() { ++counting; }
counted_operations::~counted_operations() { --counting; }
bool counted_operations::wanted() { return counting > 0; }

at::Tensor affine(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const bool differentiated = needs_gradient(input) || needs_gradient(weight) || needs_gradient(bias);
    if (differentiated || !input.is_cpu() || input.scalar_type() != at::kFloat || counted_operations::wanted()) {
        return at::linear(input, weight, bias);
    }
    if (input.size(1) == 1) { // a BLAS that packs the matrix for a product would take twice as long
        auto out = at::empty({input.size(0), 1, weight.size(0)}, input.options());
        for (std::int64_t sample = 0; sample < input.size(0); ++sample) {
            auto row = out[sample][0];
            bias.defined() ? at::addmv_out(row, bias, weight, input[sample][0])
                           : at::mv_out(row, weight, input[sample][0]);
        }
        return out;
    }
    return affine_of_each(input, weight, bias);
}

at::Tensor affine(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const block_hooks& hooks,
                  block_linear which) {
    const auto output = affine(input, weight, bias);
    const auto change = hooks.linear ? hooks.linear(which, input) : at::Tensor();
    return change.defined() ? output + change : output;
}

at::Tensor activate(activation kind, const at::Tensor& input) {
    const auto into = [kind](at::Tensor out, const at::Tensor& values) {
        switch (kind) {
        case activation::gelu: at::gelu_out(out, values, "none"); break;
        case activation::gelu_by_tanh: at::gelu_out(out, values, "tanh"); break;
        case activation::silu: at::silu_out(out, values); break;
        case activation::tanh: at::tanh_out(out, values); break;
        }
    };
    if (!needs_gradient(input) && input.is_cpu()) {
        const auto values = input.detach().contiguous();
        auto out = at::empty_like(values);
        for (std::int64_t sample = 0; sample < values.size(0); ++sample) {
            into(out[sample], values[sample]);
        }
        return out;
    }
    switch (kind) {
    case activation::gelu: return at::gelu(input);
    case activation::gelu_by_tanh: return at::gelu(input, "tanh");
    case activation::silu: return at::silu(input);
    case activation::tanh: break;
    }
    return at::tanh(input);
}

at::Tensor of_heads(const at::Tensor& tokens, std::int64_t heads) {
    return tokens.reshape({tokens.size(0), tokens.size(1), heads, tokens.size(2) / heads}).transpose(1, 2);
}

std::array<at::Tensor, 3> joint_projection(const at::Tensor& tokens, const at::Tensor& weight, const at::Tensor& bias,
                                           std::int64_t heads, const block_hooks& hooks) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto all = affine(tokens, weight, bias).reshape({n, length, 3, heads, dim / heads}).unbind(2);
    std::array<at::Tensor, 3> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& part = all[i];
        const auto change = hooks.linear ? hooks.linear(static_cast<block_linear>(i), tokens) : at::Tensor();
        parts[i] = (change.defined() ? part + change.reshape(part.sizes()) : part).transpose(1, 2);
    }
    return parts;
}

// The charge is for the two products, even where one kernel does both.
at::Tensor attend(const at::Tensor& query, const at::Tensor& own_keys, const at::Tensor& own_values, bool causal,
                  const block_hooks& hooks, const block_context& context) {
    const auto n = query.size(0), heads = query.size(1), tokens = query.size(2), width = query.size(3);
    auto keys = own_keys, values = own_values;
    if (context.cache != nullptr) {
        ensure(causal && !context.padding.defined(), "a cache is that of a causal model, without padding");
        std::tie(keys, values) = context.cache->extend(keys, values);
    }
    keys = with_prefix(hooks.prefix_keys, keys);
    values = with_prefix(hooks.prefix_values, values);
    const auto kv_heads = keys.size(1), groups = heads / kv_heads, length = keys.size(2);
    const auto as_tokens = [&](const at::Tensor& mixed) {
        return mixed.transpose(1, 2).reshape({n, tokens, heads * width});
    };
    // The kernel's own causal mask is for as many keys as tokens.
    const bool fused = query.is_cuda() || (computes_attention_on_cpus() && groups == 1 && context.cache == nullptr &&
                                           !counted_operations::wanted());
    if (fused && (!causal || tokens == 1 || tokens == length)) {
        const auto mixed = fused_attention(query, repeated(keys, groups), repeated(values, groups),
                                           causal && tokens > 1, causal ? at::Tensor() : context.padding);
        if (mixed.defined()) {
            return as_tokens(mixed);
        }
    }
    auto scaled = query * (1.0 / std::sqrt(static_cast<double>(width)));
    if (groups > 1) { // the queries of a group are rows of one product
        scaled = scaled.reshape({n, kv_heads, groups * tokens, width});
    }
    // Contiguous as a product makes them of several samples: of one it would take them as they lie, and round otherwise.
    // Those of a cache are of one text always.
    const bool cached = context.cache != nullptr;
    const auto turned = keys.transpose(-2, -1);
    auto scores = at::matmul(scaled.contiguous(), cached ? turned : turned.contiguous());
    if (const auto mask = mask_of(query, length, groups, causal, context.padding); mask.defined()) {
        scores.add_(mask); // needs nothing of the scores for its gradient
    }
    const auto mixed = at::matmul(at::softmax(scores, -1), cached ? values : values.contiguous());
    return as_tokens(groups > 1 ? mixed.view({n, heads, tokens, width}) : mixed);
}

at::Tensor changed(const block_hooks& hooks, int sublayer, const at::Tensor& output) {
    return hooks.sublayer ? hooks.sublayer(sublayer, output) : output;
}

at::Tensor pre_norm_block(weights_view w, const at::Tensor& tokens, const pre_norm_rules& rules,
                          const block_hooks& hooks, const block_context& context) {
    const at::Tensor &norm1_weight = w[0], &norm1_bias = w[1], &qkv_weight = w[2], &qkv_bias = w[3],
                     &proj_weight = w[4], &proj_bias = w[5], &norm2_weight = w[6], &norm2_bias = w[7],
                     &fc1_weight = w[8], &fc1_bias = w[9], &fc2_weight = w[10], &fc2_bias = w[11];
    const auto dim = tokens.size(-1);
    const auto attention = [&] {
        const auto normal = at::layer_norm(tokens, {dim}, norm1_weight, norm1_bias, rules.norm_epsilon);
        const auto qkv = joint_projection(normal, qkv_weight, qkv_bias, rules.heads, hooks);
        const auto mixed = attend(qkv[0], qkv[1], qkv[2], rules.causal, hooks, context);
        return affine(mixed, proj_weight, proj_bias, hooks, block_linear::projection);
    };
    const auto attended = tokens + changed(hooks, 0, attention());
    const auto second = at::layer_norm(attended, {dim}, norm2_weight, norm2_bias, rules.norm_epsilon);
    const auto hidden = activate(rules.mlp, affine(second, fc1_weight, fc1_bias, hooks, block_linear::fc1));
    return attended + changed(hooks, 1, affine(hidden, fc2_weight, fc2_bias, hooks, block_linear::fc2));
}

} // namespace gaisnet
