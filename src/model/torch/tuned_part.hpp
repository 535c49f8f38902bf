#pragma once

#include "base/tensor_view.hpp"
#include "model/stage_spec.hpp"
#include "model/torch/backbone.hpp"

#include <memory>
#include <span>
#include <vector>

namespace gaisnet {

/// The tensors of one stage; its tunables are trainable float32 tensors on the backbone's device.
class tuned_part {
public:
    /// \param spec must outlive it.
    tuned_part(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone);

    /// Values of the tunables, float32 [elements] in the order of stage_spec::tunables().
    void load(const tensor_view& modules);
    tensor_view unload() const;
    std::vector<at::Tensor>& parameters() { return parameters_; }

    /// Maps samples to tokens. \param past tokens before them, as they are in caches.
    at::Tensor embed(const at::Tensor& samples, std::int64_t past = 0) const;
    /// Passes tokens through its blocks, float32 to float32. \param padding as in block_context. \param caches one for
    /// each of its blocks, or none.
    at::Tensor run_blocks(at::Tensor tokens, const at::Tensor& padding = {},
                          std::span<attention_cache> caches = {}) const;
    /// What is left for the head of tokens behind all blocks: see stage_spec::pooled_shape().
    at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding = {}) const;
    /// The input of the head, of the same shape: after the final norm.
    at::Tensor features(const at::Tensor& pooled) const;
    /// Maps pooled tokens [..., dim] to logits: [n, classes], or [n, tokens, vocabulary].
    at::Tensor predict(const at::Tensor& pooled) const;

    const model_backbone& backbone() const { return *backbone_; }

private:
    std::size_t of_head() const; ///< How many of the parameters.
    std::span<const at::Tensor> own(std::size_t first, std::size_t count) const {
        return std::span(parameters_).subspan(first, count);
    }

    const stage_spec* spec_;
    std::shared_ptr<const model_backbone> backbone_;
    std::vector<at::Tensor> parameters_; ///< In the order of spec.tunables().
};

} // namespace gaisnet
