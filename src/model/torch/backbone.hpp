#pragma once

#include "model/family.hpp"

#include <ATen/TensorOperators.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace gaisnet {

/// A tuning method's additions to a block; an absent one changes nothing.
struct block_hooks {
    at::Tensor prefix_keys, prefix_values; ///< [prefixes, dim], inserted before those of the tokens.
    /// Maps the input of a linear layer to an addition to its output [n, tokens, its width]; undefined: none.
    std::function<at::Tensor(block_linear, const at::Tensor& input)> linear;
    /// Replaces the output of attention (0) or MLP (1) before it is added to the residual stream.
    std::function<at::Tensor(int sublayer, const at::Tensor& output)> sublayer;
};

using weights_view = std::span<const at::Tensor>;

/// How a family computes: functions of weights, which come in the order of the model's embedding_tensors(),
/// block_tensors() and norm_tensors(). Tokens are contiguous, as they are behind a message: sums may round otherwise in
/// another order.
class family_forward {
public:
    virtual ~family_forward() = default;
    /// Maps samples [n, sample_shape...] of any device and type to tokens [n, tokens, dim]. They are brought to the
    /// device and type of the weights.
    virtual at::Tensor embed(weights_view, const at::Tensor& samples) const = 0;
    /// Passes tokens [n, any, dim], with device and type of the weights, through one block; the shape stays the same.
    virtual at::Tensor run_block(weights_view, const at::Tensor& tokens, const block_hooks&) const = 0;
    /// Applies the final norm to [..., dim], in float32.
    virtual at::Tensor normalise(weights_view, const at::Tensor& tokens) const = 0;
    /// What the head gets of tokens [n, tokens, dim]: [n, dim]. By default the first token, CLS.
    virtual at::Tensor pool(const at::Tensor& tokens) const;
};

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
                 std::int64_t number)
        : model(its_model)
        , index(number)
        , forward_(forward)
        , weights_(weights) {}
    at::Tensor operator()(const at::Tensor& tokens, const block_hooks& hooks = {}) const {
        return forward_.run_block(weights_, tokens, hooks);
    }
    /// The same block with other weights, in the order of block_tensors().
    at::Tensor with_weights(weights_view weights, const at::Tensor& tokens) const {
        return forward_.run_block(weights, tokens, {});
    }

    const foundation_model& model;
    std::int64_t index;

private:
    const family_forward& forward_;
    weights_view weights_;
};

/// A foundation model with its weights.
struct model_backbone {
    std::shared_ptr<const foundation_model> model;
    std::shared_ptr<const family_forward> forward;
    std::vector<at::Tensor> embedding;
    std::vector<std::vector<at::Tensor>> blocks;
    std::vector<at::Tensor> norm; ///< Always float32.

    /// Device of the weights, and type in which blocks compute: float32 or bfloat16.
    at::Device device() const { return embedding.front().device(); }
    at::ScalarType type() const { return embedding.front().scalar_type(); }

    at::Tensor embed(const at::Tensor& samples) const { return forward->embed(embedding, samples); }
    frozen_block block(std::int64_t index) const {
        return {*model, *forward, blocks[static_cast<std::size_t>(index)], index};
    }
    /// Passes tokens through all blocks.
    at::Tensor run_blocks(at::Tensor tokens) const;
    at::Tensor normalise(const at::Tensor& tokens) const { return forward->normalise(norm, tokens); }
    at::Tensor pool(const at::Tensor& tokens) const { return forward->pool(tokens); }
};

/// \param tensor returns each weight of the model, in the shape of its spec.
model_backbone make_backbone(std::shared_ptr<const foundation_model>,
                             const std::function<at::Tensor(const tensor_spec&)>& tensor);

} // namespace gaisnet
