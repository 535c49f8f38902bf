#pragma once

#include "model/vit/vit.hpp"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// Images of a batch, or of a part of one.
struct pretraining_batch {
    at::Tensor images; ///< float32 [n, 3, image, image], normalised.
    at::Tensor labels; ///< int64 [n], for make_supervised.
    at::Tensor masked; ///< bool [n, patches], for masked_modelling: at least one of each image.
};

/// What a backbone is pre-trained for: its own tensors beside the backbone's, and a loss.
class pretraining_objective {
public:
    struct result {
        at::Tensor loss_sum;      ///< Scalar: the images' losses, added up.
        std::int64_t correct = 0; ///< Images whose class was found; 0 without labels.
    };

    virtual ~pretraining_objective() = default;
    /// Trained with the backbone: leaves that want gradients, by name.
    virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
    /// \param batch with the fields that this objective looks at.
    virtual result evaluate(const vit_backbone&, const pretraining_batch&) const = 0;
};

/// Classes of labelled images: a linear head on CLS, cross entropy.
/// Parameters: head.weight [classes, dim], head.bias [classes].
std::unique_ptr<pretraining_objective> make_supervised(const vit_config&, std::int64_t classes);

/// Masked image modelling after SimMIM (Xie et al., CVPR 2022): a trained token stands in place of masked patches, a
/// linear decoder predicts their pixels, and an image's loss is the mean absolute error over them. Unlike there, patches
/// are masked one by one rather than in squares of 32 pixels, positions are absolute, token and decoder begin with zeros,
/// and the decoder sees CLS beside each patch, so that CLS, which everything here classifies by, learns to sum an image
/// up.
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

/// Images [n, 3, image, image] as patches [n, patches, 3 patch^2]: row by row, and in a patch by channel, row, column.
at::Tensor patches_of(const at::Tensor& images, std::int64_t patch);

/// How many of an image's patches are masked: ratio x patches to the nearest, one at least and not all; of a single
/// patch that one.
std::int64_t masked_patches(const vit_config&, double ratio);

/// Which ones, drawn for (seed, name of the image, epoch). bool [patches].
at::Tensor draw_mask(const vit_config&, double ratio, std::uint64_t seed, const std::string& image,
                     std::uint32_t epoch);

} // namespace gaisnet
