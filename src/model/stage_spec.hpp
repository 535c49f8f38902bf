#pragma once

#include "base/tensor_view.hpp"
#include "model/block_cost.hpp"
#include "model/family.hpp"
#include "model/smashed_codec.hpp"
#include "model/stage_executor.hpp"
#include "model/tuning_method.hpp"
#include "scenario/training.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace gaisnet {

/// The part of the model that a stage holds.
struct stage_cut {
    bool embedding = false;
    std::int64_t first_block = 0, blocks = 0;
    bool head = false;
    bool operator==(const stage_cut&) const = default;
};

/// In place of a number of classes: there is no head, and the output layer of the model tells the next token after each
/// of a sample.
inline constexpr std::int64_t no_classes = 0;

/// One stage of a split model: its tensors, and its costs computed from shapes. n is the number of samples in a
/// micro-batch. FLOP = 2 MAC; a frozen block of attention and MLP has 12 T d^2 + 2 T^2 d MAC for T
/// tokens (prompts included); see block_cost. Tunables are in the order embedding, blocks, final norm, head or output layer.
class stage_spec {
public:
    stage_spec(std::shared_ptr<const foundation_model>, std::shared_ptr<const tuning_method>, std::int64_t classes,
               stage_cut);

    const foundation_model& model() const { return *model_; }
    const tuning_method& method() const { return *method_; }
    const stage_cut& cut() const { return cut_; }
    std::int64_t classes() const { return classes_; }
    bool tells_tokens() const { return classes_ == no_classes; }
    /// Predictions of a sample, and logits of each.
    std::int64_t predictions() const { return tells_tokens() ? model_->tokens() : 1; }
    std::int64_t logits() const { return tells_tokens() ? model_->vocabulary() : classes_; }
    /// Whether samples may be filled up with padding, of which stages with blocks have to know.
    bool pads() const { return model_->takes_tokens() && !tells_tokens(); }

    /// Tunable tensors, in the order in which messages contain them.
    const std::vector<tunable_spec>& tunables() const { return tunables_; }
    std::int64_t tunable_elements() const { return tunable_elements_; }
    std::uint64_t tunable_bytes() const { return static_cast<std::uint64_t>(tunable_elements_) * 4; }
    bool trainable() const { return tunable_elements_ > 0; }
    /// Frozen parameters of this stage.
    std::vector<tensor_spec> frozen() const;
    std::int64_t frozen_elements() const;

    /// Whether something before this stage is trainable, so that the gradient of its input is needed. Affects costs.
    bool input_gradient = false;
    /// Of smashed data; null: float32 as it is.
    std::shared_ptr<const smashed_codec> codec;
    /// Whether a later stage has blocks, so that all tokens are sent; otherwise what the head needs (see pooled_shape()).
    bool all_tokens_out = true;
    /// Whether the input of its norm and head, or its output, is the same for a sample in every epoch, because nothing
    /// before that point is trained.
    bool frozen_up_to_head() const;
    bool runs_backward() const { return trainable() || input_gradient; }

    /// What is left for the head behind all blocks: one token of each sample [n, dim], or those that tell the next ones
    /// [n, tokens, dim].
    tensor_shape pooled_shape(std::int64_t n) const;
    /// Shapes of incoming and outgoing smashed data (tokens, or what is left for the head, of n samples). A start point
    /// has no input, and a stage with the head has no output.
    tensor_shape input_shape(std::int64_t n) const;
    tensor_shape output_shape(std::int64_t n) const;
    /// Type and shape in which smashed data, or its gradient, of this shape is sent.
    tensor_view sent(const tensor_shape& shape) const {
        return codec ? codec->encoded(shape) : tensor_view::shape_only(shape);
    }

    double forward_flops(std::int64_t n) const;
    /// For gradients of inputs (frozen weights) and, in the head, of its weights.
    double backward_flops(std::int64_t n) const;
    double step_flops(optimizer_kind) const;

    /// Bytes kept from the forward to the backward of a micro-batch: what autograd saves, the output, and the input if
    /// its gradient is sent back.
    std::uint64_t retained_bytes(std::int64_t n) const;
    /// Temporary bytes of the largest operation, in addition to the retained ones.
    std::uint64_t workspace_bytes(std::int64_t n) const;
    /// Temporary bytes in inference, where nothing is retained.
    std::uint64_t inference_bytes(std::int64_t n) const;

    // A step of a text that is generated: of one sample.

    tensor_shape step_input_shape(const token_step&) const;
    /// All new tokens, or behind all blocks the last one. A stage with the output layer has none.
    tensor_shape step_output_shape(const token_step&) const;
    double step_flops(const token_step&) const;
    /// Temporary bytes, without those that are kept.
    std::uint64_t step_bytes(const token_step&) const;
    /// Bytes of keys and values, float32, of the new tokens, and of all of them so far; prompts of the method included.
    std::uint64_t cached_bytes(const token_step&) const;
    std::uint64_t cached_so_far(const token_step&) const;

private:
    std::uint64_t cache_of(std::int64_t tokens, bool prompts) const;
    /// FLOP for decoding what comes in and encoding what goes out.
    double coding_flops(const tensor_shape& in, const tensor_shape& out) const;
    /// Total costs of its blocks, and whether the output of the last one needs a gradient.
    block_cost blocks_cost() const;
    bool first_block_keeps_input() const;
    std::int64_t retained_of_a_token(bool wants_input) const;
    std::int64_t tokens_after(std::int64_t block) const; ///< -1: after the embedding.
    /// Tunables of the head or the output layer.
    std::vector<tunable_spec> head_tunables() const;
    bool embedding_tunable() const { return cut_.embedding && !method_->of_embedding(*model_).empty(); }

    std::shared_ptr<const foundation_model> model_;
    std::shared_ptr<const tuning_method> method_;
    std::int64_t classes_;
    stage_cut cut_;
    std::vector<tunable_spec> tunables_;
    std::int64_t tunable_elements_ = 0;
};

/// The stages of one chain, with input_gradient and all_tokens_out set. The cuts must cover embedding, blocks 0 to
/// depth - 1 in order, and head.
std::vector<stage_spec> make_stages(std::shared_ptr<const foundation_model>, std::shared_ptr<const tuning_method>,
                                    std::int64_t classes, const std::vector<stage_cut>&,
                                    std::shared_ptr<const smashed_codec> = {});

/// The same with a method for each stage: those of clients that tune with different sizes.
std::vector<stage_spec> make_stages(std::shared_ptr<const foundation_model>,
                                    const std::vector<std::shared_ptr<const tuning_method>>&, std::int64_t classes,
                                    const std::vector<stage_cut>&, std::shared_ptr<const smashed_codec> = {});

/// The unsplit model as one stage; its tunables are all those of the model in canonical order: embedding, blocks, final
/// norm, head.
stage_spec whole_model(std::shared_ptr<const foundation_model>, std::shared_ptr<const tuning_method>,
                       std::int64_t classes);

/// Returns the values of a weight of the foundation model, by its name.
using weight_values = std::function<std::vector<float>(const tensor_spec&)>;

/// Initial values of tunables, float32 [elements]: drawn by tensor name, or copied from the foundation model.
tensor_view initial_values(const std::vector<tunable_spec>&, std::uint64_t seed, const weight_values&);

} // namespace gaisnet
