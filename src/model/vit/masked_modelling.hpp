#pragma once

#include "model/torch/pretraining.hpp"
#include "model/vit/vit.hpp"

namespace gaisnet {

/// Masked image modelling after SimMIM (Xie et al., CVPR 2022): a trained token replaces masked patches, a linear
/// decoder predicts their pixels, and an image's loss is the mean absolute error over them. Differences from SimMIM:
/// patches are masked individually rather than in squares of 32 pixels, positions are absolute, token and decoder start
/// at zero, and the decoder sees CLS in addition to each patch. Therefore CLS, which all classification here uses,
/// learns to summarise an image.
class masked_modelling final : public pretraining_objective {
public:
    /// \param ratio, seed for draw(): see draw_mask()
    explicit masked_modelling(const vit&, double ratio = 0.6, std::uint64_t seed = 1);

    std::string description() const override;
    std::string said(double loss, double accuracy) const override;
    void draw(pretraining_batch&, const std::vector<std::string>& names, std::uint32_t epoch) const override;
    /// mask_token [1, 1, dim], decoder.weight and decoder.cls_weight [3 patch^2, dim], decoder.bias [3 patch^2].
    std::vector<std::pair<std::string, at::Tensor>> parameters() const override;
    result evaluate(const model_backbone&, const pretraining_batch&) const override;

    /// Predicted pixels [n, patches, 3 patch^2], in the order of patches_of.
    at::Tensor predict(const model_backbone&, const at::Tensor& images, const at::Tensor& masked) const;

private:
    at::Tensor mask_token_, weight_, cls_weight_, bias_;
    vit model_;
    double ratio_;
    std::uint64_t seed_;
};

/// Splits images [n, 3, image, image] into patches [n, patches, 3 patch^2]: row by row, and within a patch by channel,
/// row, column.
at::Tensor patches_of(const at::Tensor& images, std::int64_t patch);

/// Number of masked patches of an image: ratio x patches, rounded, but at least one and not all. A single patch is
/// masked.
std::int64_t masked_patches(const vit&, double ratio);

/// The masked patches, bool [patches], drawn for (seed, name of the image, epoch).
at::Tensor draw_mask(const vit&, double ratio, std::uint64_t seed, const std::string& image, std::uint32_t epoch);

} // namespace gaisnet
