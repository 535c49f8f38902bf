#pragma once

#include "model/family.hpp"

#include <ATen/TensorOperators.h>

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {

/// A tuning method's additions to a block; an absent one changes nothing.
struct block_hooks {
    at::Tensor prefix_keys, prefix_values; ///< [members, prefixes, kv_dim], inserted before those of the tokens.
    /// Maps the input of a linear layer to an addition to its output [n, tokens, its width]; undefined: none.
    std::function<at::Tensor(block_linear, const at::Tensor& input)> linear;
    /// Replaces the output of attention (0) or MLP (1) before it is added to the residual stream.
    std::function<at::Tensor(int sublayer, const at::Tensor& output)> sublayer;
};

/// Keys and values that a block of a causal model has computed for the tokens of texts so far; the next tokens attend to
/// them.
class attention_cache {
public:
    std::int64_t tokens() const { return tokens_; }
    /// Adds those of the next tokens [n, kv_heads, next, dim / heads]. \returns the keys and the values of all.
    std::pair<at::Tensor, at::Tensor> extend(const at::Tensor& keys, const at::Tensor& values);

private:
    at::Tensor keys_, values_; ///< With room for more.
    std::int64_t tokens_ = 0;
};

/// That of a block; nullptr where there are none.
inline attention_cache* cache_of(std::span<attention_cache> caches, std::int64_t block) {
    return caches.empty() ? nullptr : &caches[static_cast<std::size_t>(block)];
}

/// What a block has to know of its samples.
struct block_context {
    /// Tokens at the end of each sample that only fill it up, int64 [n], fewer than there are; undefined: none. No other
    /// token attends to them, and what becomes of them means nothing. Counted from the end, because prompts stand before.
    at::Tensor padding;
    /// Of a causal model: what it has of the tokens before these, to which these are added. Goes without padding.
    attention_cache* cache = nullptr;
    /// Number of tokens before these.
    std::int64_t past() const { return cache != nullptr ? cache->tokens() : 0; }
};

using weights_view = std::span<const at::Tensor>;

/// How a family computes: functions of weights, which come in the order of the model's embedding_tensors(),
/// block_tensors(), norm_tensors() and output_tensors(). Tokens are contiguous, as they are behind a message: sums may round otherwise in
/// another order.
class family_forward {
public:
    virtual ~family_forward() = default;
    /// Maps samples [n, sample_shape...] of any device and type to tokens [n, tokens, dim]. They are brought to the
    /// device and type of the weights. Texts are int64 [n, any up to positions()]. \param first_position of their first
    /// token, where prompts or a cache stand before it; models of images have no use for it.
    virtual at::Tensor embed(weights_view, const at::Tensor& samples, std::int64_t first_position) const = 0;
    /// Passes tokens [n, any, dim], with device and type of the weights, through one block; the shape stays the same.
    virtual at::Tensor run_block(weights_view, const at::Tensor& tokens, const block_hooks&,
                                 const block_context&) const = 0;
    /// Applies the final norm to [..., dim], in float32.
    virtual at::Tensor normalise(weights_view, const at::Tensor& tokens) const = 0;
    /// Applies the output layer to what normalise() gives: [..., dim] to float32 [..., vocabulary].
    virtual at::Tensor logits(weights_view, const at::Tensor& normalised) const;
    /// What the head gets of tokens [n, tokens, dim]: [n, dim]. By default the first token, CLS. \param padding as in block_context
    virtual at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding) const;
};

/// The last token of each sample [n, tokens, dim] that is no padding: [n, dim].
at::Tensor last_tokens(const at::Tensor& tokens, const at::Tensor& padding);

/// The forward of a family that model.family can name.
struct forward_entry {
    const char* name;
    /// \param model of this family
    std::shared_ptr<const family_forward> (*make)(const foundation_model& model);
};

/// A block of a backbone, as tuning methods see it.
class frozen_block {
public:
    frozen_block(const foundation_model& its_model, const family_forward& forward, weights_view weights,
                 std::int64_t number, block_context context)
        : model(its_model)
        , index(number)
        , forward_(forward)
        , weights_(weights)
        , context_(std::move(context)) {}
    at::Tensor operator()(const at::Tensor& tokens, const block_hooks& hooks = {}) const {
        return forward_.run_block(weights_, tokens, hooks, context_);
    }
    /// The same block with other weights, in the order of block_tensors().
    at::Tensor with_weights(weights_view weights, const at::Tensor& tokens) const {
        return forward_.run_block(weights, tokens, {}, context_);
    }
    /// Whether its tokens go on from others, which are in a cache with the prompts that stand before them.
    bool goes_on() const { return context_.past() > 0; }

    const foundation_model& model;
    std::int64_t index;

private:
    const family_forward& forward_;
    weights_view weights_;
    block_context context_;
};

/// A foundation model with its weights.
struct model_backbone {
    std::shared_ptr<const foundation_model> model;
    std::shared_ptr<const family_forward> forward;
    std::vector<at::Tensor> embedding;
    std::vector<std::vector<at::Tensor>> blocks;
    std::vector<at::Tensor> norm;   ///< Always float32.
    std::vector<at::Tensor> output; ///< A tied one is the tensor of the embedding itself.

    /// Device of the weights, and type in which blocks compute: float32 or bfloat16.
    at::Device device() const { return embedding.front().device(); }
    at::ScalarType type() const { return embedding.front().scalar_type(); }

    at::Tensor embed(const at::Tensor& samples, std::int64_t first_position = 0) const {
        return forward->embed(embedding, samples, first_position);
    }
    frozen_block block(std::int64_t index, block_context context = {}) const {
        return {*model, *forward, blocks[static_cast<std::size_t>(index)], index, std::move(context)};
    }
    /// Passes tokens through all blocks. \param padding as in block_context. \param caches one for each block of the
    /// model, or none.
    at::Tensor run_blocks(at::Tensor tokens, const at::Tensor& padding = {},
                          std::span<attention_cache> caches = {}) const;
    at::Tensor normalise(const at::Tensor& tokens) const { return forward->normalise(norm, tokens); }
    at::Tensor logits(const at::Tensor& normalised) const { return forward->logits(output, normalised); }
    at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding = {}) const {
        return forward->pool(tokens, padding);
    }
};

/// \param tensor returns each weight of the model, in the shape of its spec.
model_backbone make_backbone(std::shared_ptr<const foundation_model>,
                             const std::function<at::Tensor(const tensor_spec&)>& tensor);

} // namespace gaisnet
