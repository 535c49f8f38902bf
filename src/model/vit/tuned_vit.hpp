#pragma once

#include "base/tensor_view.hpp"
#include "model/torch/tuned_part.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// The whole, unsplit model: a backbone with tuned modules. Used for evaluation, for pre-training and as what split
/// training is compared with.
class tuned_vit {
public:
    tuned_vit(std::shared_ptr<const vit_backbone> backbone, std::shared_ptr<const tuning_method> method,
              std::int64_t classes);

    /// Values of all tunables in canonical order, float32 [elements].
    void load(const tensor_view& modules);
    /// CLS [n, dim] of images behind all blocks, and the logits that the head makes of it.
    at::Tensor cls(const at::Tensor& images) const;
    at::Tensor classify(const at::Tensor& behind_blocks) const { return part_.classify(behind_blocks); }
    /// CLS does not change in training (stage_spec::frozen_up_to_head).
    bool frozen_up_to_head() const { return spec_->frozen_up_to_head(); }
    /// What the head gets, [n, dim].
    at::Tensor features(const at::Tensor& images) const;
    /// Logits [n, classes] of images [n, 3, image, image].
    at::Tensor forward(const at::Tensor& images) const;
    std::vector<at::Tensor>& parameters() { return part_.parameters(); }
    const std::vector<tunable_spec>& tunables() const { return spec_->tunables(); }
    std::int64_t dim() const { return spec_->vit().dim; } ///< Of its features.

private:
    std::unique_ptr<const stage_spec> spec_; ///< Where it is stays the same when the model moves.
    tuned_part part_;
};

} // namespace gaisnet
