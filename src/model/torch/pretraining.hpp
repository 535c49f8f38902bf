#pragma once

#include "model/torch/backbone.hpp"

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
    virtual result evaluate(const model_backbone&, const pretraining_batch&) const = 0;
};

/// Classification of labelled images: a linear head on pooled tokens with cross entropy. Parameters: head.weight [classes, dim],
/// head.bias [classes].
std::unique_ptr<pretraining_objective> make_supervised(const foundation_model&, std::int64_t classes);

} // namespace gaisnet
