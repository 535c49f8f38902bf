#pragma once

#include "scenario/tuning.hpp"

#include <array>
#include <cstdint>

namespace gaisnet {

/// Sizes of a Transformer block, for one sample, and what else its costs depend on.
struct block_shape {
    std::int64_t tokens = 0;
    std::int64_t dim = 0; ///< Width of a token; divisible by heads.
    std::int64_t heads = 0;
    std::int64_t hidden = 0;   ///< Width of the MLP.
    std::int64_t kv_heads = 0; ///< Heads of keys and values, a divisor of heads (Ainslie et al., EMNLP 2023); 0: heads.
    bool gated = false;        ///< The MLP has a gate (SwiGLU; Shazeer, 2020).
    bool rms = false;          ///< Norms divide by the root mean square (Zhang and Sennrich, NeurIPS 2019).
    bool post_norm = false;    ///< Norms stand behind the residual additions, not before attention and MLP.

    /// Width of the keys, and of the values, of one token.
    std::int64_t kv_dim() const { return kv_heads > 0 ? dim / heads * kv_heads : dim; }
};

/// The sizes of a tuning method's changes to one block; costs follow from them.
struct block_change {
    std::int64_t prompts = 0; ///< Additional tokens beside those of the sample.
    bool own_prompts = false; ///< They are tunables of this block; otherwise they come with the input.
    std::int64_t prefix = 0;  ///< Additional tunable keys and values.
    std::array<std::int64_t, block_linears> rank{}; ///< Rank of the low-rank change of each linear layer; 0: none.
    std::int64_t bottleneck = 0;                    ///< Width of the adapters after attention and MLP; 0: none.
    bool weights = false;                           ///< The block's own weights are tunable.

    std::int64_t rank_of(block_linear layer) const { return rank[static_cast<std::size_t>(layer)]; }
};

/// Cost of one block per sample. MAC: multiply-accumulates of matrix products; norms, activations, softmax, rotations
/// and additions are not counted. Causal attention computes all products and masks some of them, so it costs the same.
struct block_cost {
    double forward_mac = 0;
    double backward_mac = 0;      ///< Products for the required gradients of inputs and tunable weights.
    std::int64_t retained = 0;    ///< Values that autograd keeps from the forward to the backward.
    std::int64_t workspace = 0;   ///< Largest number of temporary values in the forward.
    bool output_gradient = false; ///< Whether something in or before the block is tunable.
    bool keeps_input = true;      ///< Whether `retained` has the input of the block, if its gradient is needed.
};

/// Costs of a block of attention and an MLP. Adds up its operations and decides for each whether the gradient of
/// its input is needed. \param input_gradient whether something before the block is tunable.
block_cost cost_of_attention_block(const block_shape&, const block_change&, bool input_gradient);

/// Temporary values of its largest operation when nothing is kept for a backward: input and output of GELU (with a
/// gate: its output, the values that it gates and their product), or scores and probabilities in addition to queries, keys and values, and the residual stream.
std::int64_t workspace_of_attention_block(const block_shape&, const block_change&);

} // namespace gaisnet
