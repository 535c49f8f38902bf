#pragma once

#include "model/torch/backbone.hpp"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// A batch of samples, or a part of one.
struct pretraining_batch {
    at::Tensor inputs;    ///< As foundation_model takes them.
    at::Tensor labels;    ///< Classes int64 [n], or next tokens int64 [n, tokens].
    at::Tensor masked;    ///< bool [n, patches or tokens]: at least one a sample; see pretraining_objective::draw().
    at::Tensor padding{}; ///< Of texts: as in block_context.
};

/// The objective of pre-training: a loss, and tensors in addition to the backbone's.
class pretraining_objective {
public:
    struct result {
        at::Tensor loss_sum;          ///< Sum of the samples' losses, a scalar.
        std::int64_t correct = 0;     ///< Number of right predictions: classes, or tokens.
        std::int64_t predictions = 0; ///< Of how many; 0 where none is right or wrong.
    };

    virtual ~pretraining_objective() = default;
    /// For messages: "5 classes".
    virtual std::string description() const = 0;
    /// For messages: an epoch's mean loss of a sample, and the part of right predictions.
    virtual std::string said(double loss, double accuracy) const;
    /// Trainable leaf tensors by name, trained together with the backbone.
    virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const { return {}; }
    /// Whether they belong to the model that is written.
    virtual bool keeps_parameters() const { return false; }
    /// Sets what is drawn for the samples of these names in that epoch.
    virtual void draw(pretraining_batch&, const std::vector<std::string>& names, std::uint32_t epoch) const;
    /// \param batch with the fields that this objective uses.
    virtual result evaluate(const model_backbone&, const pretraining_batch&) const = 0;
};

/// Classification of labelled samples: a linear head on pooled tokens with cross entropy. Parameters: head.weight [classes,
/// dim], head.bias [classes].
std::unique_ptr<pretraining_objective> make_supervised(const foundation_model&, std::int64_t classes);

} // namespace gaisnet
