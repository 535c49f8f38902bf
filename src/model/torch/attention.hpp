#pragma once

// Pieces of which the forwards of families are made. Without gradients, in float32 and on CPUs, a sample gets the same bits
// alone and in any batch.

#include "model/torch/backbone.hpp"

#include <array>
#include <cstdint>

namespace gaisnet {

/// x W' + b for x [n, tokens, in], W [out, in]. Without gradients each sample has its own product: in one product over all
/// samples a row's rounding may depend on its position, so that cached outputs and answers would depend on the rest of the
/// batch. \param bias undefined: none
at::Tensor affine(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

/// The same, with the addition of a tuning method.
at::Tensor affine(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const block_hooks& hooks,
                  block_linear which);

/// GELU, its approximation by tanh (Hendrycks and Gimpel, 2016), SiLU, and tanh. Without gradients each sample [n, ...] is
/// one operation: how the last values that fill no register are rounded depends on where they stand.
enum class activation : std::uint8_t { gelu, gelu_by_tanh, silu, tanh };
at::Tensor activate(activation, const at::Tensor& input);

/// [n, tokens, dim] as [n, heads, tokens, dim / heads].
at::Tensor of_heads(const at::Tensor& tokens, std::int64_t heads);

/// Query, keys and values [n, heads, tokens, dim / heads] by one matrix [3 dim, dim]. Their changes are added separately,
/// so that an unchanged one has no gradient.
std::array<at::Tensor, 3> joint_projection(const at::Tensor& tokens, const at::Tensor& weight, const at::Tensor& bias,
                                           std::int64_t heads, const block_hooks& hooks);

/// Scaled dot-product attention (Vaswani et al., NeurIPS 2017) of a query [n, heads, tokens, dim / heads] over keys and
/// values [n, kv_heads, tokens, dim / heads], behind those of the cache and of the prefixes. Each group of heads /
/// kv_heads queries has keys and values of its own (Ainslie et al., EMNLP 2023).
/// \param causal masks later tokens, otherwise those that are padding. \returns [n, tokens, dim]
at::Tensor attend(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values, bool causal,
                  const block_hooks& hooks, const block_context& context);

/// While it lives, this thread computes with LibTorch's own operations, which a test can count, in place of own ones.
class counted_operations {
public:
    counted_operations();
    ~counted_operations();
    counted_operations(const counted_operations&) = delete;
    counted_operations& operator=(const counted_operations&) = delete;
    static bool wanted();
};

/// What a tuning method makes of the output of attention (0) or MLP (1).
at::Tensor changed(const block_hooks& hooks, int sublayer, const at::Tensor& output);

/// How a block of ViT's or GPT-2's kind computes.
struct pre_norm_rules {
    std::int64_t heads = 1;
    double norm_epsilon = 1e-6;
    bool causal = false;
    activation mlp = activation::gelu;
};

/// x + attention(LayerNorm(x)), and x + MLP(LayerNorm(x)) of that. Weights: norm1, query with key and value, projection,
/// norm2, fc1, fc2; of each the matrix or vector and the bias.
at::Tensor pre_norm_block(weights_view, const at::Tensor& tokens, const pre_norm_rules&, const block_hooks&,
                          const block_context&);

} // namespace gaisnet
