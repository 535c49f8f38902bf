#pragma once

#include "base/tensor_view.hpp"
#include "data/batch_loader.hpp"
#include "model/torch/tuned_part.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace gaisnet {

/// Samples of any device, and of texts their padding (see block_context).
struct model_input {
    model_input(at::Tensor of, at::Tensor filled = {}): samples(std::move(of)), padding(std::move(filled)) {}
    model_input(const labelled_batch&);
    at::Tensor samples, padding;
};

/// The whole, unsplit model: a backbone with tuned modules. Used for evaluation and pre-training, and as the reference
/// for split training.
class tuned_model {
public:
    tuned_model(std::shared_ptr<const model_backbone> backbone, std::shared_ptr<const tuning_method> method,
                std::int64_t classes);

    /// Sets all tunables in canonical order, float32 [elements].
    void load(const tensor_view& modules);
    /// What is left for the head of samples after all blocks, and its logits.
    at::Tensor pooled(const model_input&) const;
    at::Tensor predict(const at::Tensor& behind_blocks) const {
        return part_.predict(tunables_of_one(), behind_blocks);
    }
    /// Whether pooled tokens stay the same during training (see stage_spec::frozen_up_to_head).
    bool frozen_up_to_head() const { return spec_->frozen_up_to_head(); }
    /// The input of the head, [n, dim].
    at::Tensor features(const model_input&) const;
    /// Logits of samples [n, sample_shape...]: [n, classes], or [n, tokens, vocabulary].
    at::Tensor forward(const model_input&) const;
    std::vector<at::Tensor>& parameters() { return parameters_; }
    const std::vector<tunable_spec>& tunables() const { return spec_->tunables(); }
    bool tells_tokens() const { return spec_->tells_tokens(); }
    std::int64_t dim() const { return spec_->model().dim(); } ///< Width of its features.

private:
    std::vector<at::Tensor> tunables_of_one() const; ///< As tuned_part takes them.

    std::unique_ptr<const stage_spec> spec_; ///< On the heap, so that moving the model keeps its address.
    tuned_part part_;
    std::vector<at::Tensor> parameters_; ///< In the order of spec.tunables().
};

} // namespace gaisnet
