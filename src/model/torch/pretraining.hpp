#pragma once

#include "model/vit/vit.hpp"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// A batch of images, or a part of one.
struct pretraining_batch {
    at::Tensor images; ///< float32 [n, 3, image, image], normalised.
    at::Tensor labels; ///< int64 [n], for make_supervised.
    at::Tensor masked; ///< bool [n, patches], for masked_modelling: at least one per image.
};

/// The objective of pre-training: a loss, and tensors in addition to the backbone's.
class pretraining_objective {
public:
    struct result {
        at::Tensor loss_sum;      ///< Sum of the images' losses, a scalar.
        std::int64_t correct = 0; ///< Number of correctly classified images; 0 without labels.
    };

    virtual ~pretraining_objective() = default;
    /// Trainable leaf tensors by name, trained together with the backbone.
    virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
    /// \param batch with the fields that this objective uses.
    virtual result evaluate(const vit_backbone&, const pretraining_batch&) const = 0;
};

/// Classification of labelled images: a linear head on CLS with cross entropy. Parameters: head.weight [classes, dim],
/// head.bias [classes].
std::unique_ptr<pretraining_objective> make_supervised(const vit_config&, std::int64_t classes);

/// Masked image modelling after SimMIM (Xie et al., CVPR 2022): a trained token replaces masked patches, a linear
/// decoder predicts their pixels, and an image's loss is the mean absolute error over them. Differences from SimMIM:
/// patches are masked individually rather than in squares of 32 pixels, positions are absolute, token and decoder start
/// at zero, and the decoder sees CLS in addition to each patch. Therefore CLS, which all classification here uses,
/// learns to summarise an image.
class masked_modelling final : public pretraining_objective {
public:
    explicit masked_modelling(const vit_config&);

    /// mask_token [1, 1, dim], decoder.weight and decoder.cls_weight [3 patch^2, dim], decoder.bias [3 patch^2].
    std::vector<std::pair<std::string, at::Tensor>> parameters() const override;
    result evaluate(const vit_backbone&, const pretraining_batch&) const override;

    /// Predicted pixels [n, patches, 3 patch^2], in the order of patches_of.
    at::Tensor predict(const vit_backbone&, const at::Tensor& images, const at::Tensor& masked) const;

private:
    at::Tensor mask_token_, weight_, cls_weight_, bias_;
};

/// Splits images [n, 3, image, image] into patches [n, patches, 3 patch^2]: row by row, and within a patch by channel,
/// row, column.
at::Tensor patches_of(const at::Tensor& images, std::int64_t patch);

/// Number of masked patches of an image: ratio x patches, rounded, but at least one and not all. A single patch is
/// masked.
std::int64_t masked_patches(const vit_config&, double ratio);

/// The masked patches, bool [patches], drawn for (seed, name of the image, epoch).
at::Tensor draw_mask(const vit_config&, double ratio, std::uint64_t seed, const std::string& image,
                     std::uint32_t epoch);

} // namespace gaisnet
