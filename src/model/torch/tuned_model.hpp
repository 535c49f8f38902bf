#pragma once

#include "base/tensor_view.hpp"
#include "model/torch/tuned_part.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// The whole, unsplit model: a backbone with tuned modules. Used for evaluation and pre-training, and as the reference
/// for split training.
class tuned_model {
public:
    tuned_model(std::shared_ptr<const model_backbone> backbone, std::shared_ptr<const tuning_method> method,
                std::int64_t classes);

    /// Sets all tunables in canonical order, float32 [elements].
    void load(const tensor_view& modules);
    /// What the head gets of samples [n, dim] after all blocks, and its logits. \param padding as in block_context
    at::Tensor pooled(const at::Tensor& samples, const at::Tensor& padding = {}) const;
    at::Tensor classify(const at::Tensor& behind_blocks) const { return part_.classify(behind_blocks); }
    /// Whether pooled tokens stay the same during training (see stage_spec::frozen_up_to_head).
    bool frozen_up_to_head() const { return spec_->frozen_up_to_head(); }
    /// The input of the head, [n, dim].
    at::Tensor features(const at::Tensor& samples) const;
    /// Logits [n, classes] of samples [n, sample_shape...].
    at::Tensor forward(const at::Tensor& samples, const at::Tensor& padding = {}) const;
    std::vector<at::Tensor>& parameters() { return part_.parameters(); }
    const std::vector<tunable_spec>& tunables() const { return spec_->tunables(); }
    std::int64_t dim() const { return spec_->model().dim(); } ///< Width of its features.

private:
    std::unique_ptr<const stage_spec> spec_; ///< On the heap, so that moving the model keeps its address.
    tuned_part part_;
};

} // namespace gaisnet
