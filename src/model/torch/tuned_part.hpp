#pragma once

#include "model/stage_spec.hpp"
#include "model/torch/backbone.hpp"

#include <memory>
#include <span>

namespace gaisnet {

/// The part of the model that a stage holds, as functions of its tunables: one tensor for each of stage_spec::tunables(),
/// [members, its shape], trainable float32 on the backbone's device. Members are clusters, each of which has values of its
/// own and an equal share of the samples, one behind the other. Frozen layers compute with the samples of all members at
/// once.
class tuned_part {
public:
    /// \param spec must outlive it.
    tuned_part(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone)
        : spec_(&spec)
        , backbone_(std::move(backbone)) {}

    /// Maps samples to tokens. \param past tokens before them, as they are in caches.
    at::Tensor embed(weights_view tunables, const at::Tensor& samples, std::int64_t past = 0) const;
    /// Passes tokens through its blocks, float32 to float32. \param padding as in block_context. \param caches one for
    /// each of its blocks, or none.
    at::Tensor run_blocks(weights_view tunables, at::Tensor tokens, const at::Tensor& padding = {},
                          std::span<attention_cache> caches = {}) const;
    /// What is left for the head of tokens behind all blocks: see stage_spec::pooled_shape().
    at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding = {}) const;
    /// The input of the head, of the same shape: after the final norm.
    at::Tensor features(weights_view tunables, const at::Tensor& pooled) const;
    /// Maps pooled tokens [..., dim] to logits: [n, classes], or [n, tokens, vocabulary].
    at::Tensor predict(weights_view tunables, const at::Tensor& pooled) const;

    const model_backbone& backbone() const { return *backbone_; }

private:
    std::size_t of_head() const; ///< How many of the tunables.

    const stage_spec* spec_;
    std::shared_ptr<const model_backbone> backbone_;
};

} // namespace gaisnet
