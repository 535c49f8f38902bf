#pragma once

#include "model/stage_executor.hpp"
#include "model/token_sampling.hpp"
#include "model/torch/optimizer.hpp"
#include "model/torch/output_cache.hpp"
#include "model/torch/sample_source.hpp"
#include "model/torch/tuned_part.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {

/// What a member of a stack has besides tunables and moments.
struct stage_member {
    std::shared_ptr<sample_source> source; ///< The start point's samples; null for stages that need none.
    std::optional<output_cache> cache;     ///< Outputs of frozen parts by sample.
    token_chooser chooser;                 ///< Of the output layer.
    std::map<std::int64_t, std::vector<attention_cache>> texts; ///< Under way, by request: a cache for each block.
    std::int64_t steps = 0;                                     ///< Of its optimiser.
};

/// A request of a member, and its result.
struct member_request {
    std::size_t member = 0;
    const stage_request* work = nullptr;
    tensor_view output{};
};

/// Equal stages of several clusters: the same part of the model, the same shapes, tunables of their own. They are stacked
/// [members, shape], so that requests of some members are one computation: frozen layers see one large batch, in which each
/// member has an equal share. Outputs are slices of one tensor, which the next stack takes up as it is.
class stage_stack {
public:
    /// \param spec must outlive it. \param size members that will be added.
    stage_stack(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone, optimizer_settings optimiser,
                std::size_t size);

    /// \returns the number of the new member.
    std::size_t add(std::shared_ptr<sample_source>);
    std::size_t size() const { return size_; }
    stage_member& member(std::size_t number) { return members_.at(number); }

    void load(std::size_t member, const tensor_view& modules);
    tensor_view unload(std::size_t member) const;
    training_totals take_totals(std::size_t member);
    executor_state save_state(std::size_t member) const;
    void restore_state(std::size_t member, const executor_state&);
    std::vector<at::Tensor> parameters(std::size_t member) const;
    std::vector<at::Tensor> gradients(std::size_t member) const;

    /// Runs requests of members in ascending order, which differ in samples and learning rates only.
    void run(std::span<member_request>);

private:
    /// The members of a request in ascending order.
    using member_list = std::vector<std::size_t>;

    struct saved_batch {
        at::Tensor input, output;
    };
    /// A batch that some members train on, from its first forward to the step.
    struct batch_state {
        std::vector<at::Tensor> tunables;           ///< Leaves [members of the batch, shape]: they get the gradients.
        std::map<std::int64_t, saved_batch> micros; ///< By the first sample.
    };

    at::Device device() const { return part_.backbone().device(); }
    /// Rows of a stacked tensor: a view where they lie together.
    at::Tensor rows(const at::Tensor& stacked, const member_list&) const;
    std::vector<at::Tensor> tunables_of(const member_list&) const;
    batch_state& batch_of(const member_list&);

    void forward(std::span<member_request>, const member_list&);
    void backward(std::span<member_request>, const member_list&);
    void step(std::span<const member_request>, const member_list&);
    void infer(std::span<member_request>, const member_list&);
    tensor_view generate(std::size_t member, const stage_request&);

    at::Tensor run_frozen_or_not(std::span<const member_request>, weights_view tunables, saved_batch&);
    at::Tensor kept_outputs(std::span<const member_request>);
    at::Tensor embedded(std::span<const member_request>, weights_view tunables) const;
    /// \returns all tokens, or what is left for the head.
    at::Tensor run_blocks(std::span<const member_request>, weights_view tunables, at::Tensor tokens) const;
    at::Tensor loss_of(std::span<const member_request>, const member_list&, weights_view tunables,
                       const at::Tensor& pooled);

    /// What comes in for all requests, one behind the other. \param shape of a member's part
    at::Tensor received(std::span<const member_request>, const std::vector<std::int64_t>& shape) const;
    /// Divides what goes out.
    void send(std::span<member_request>, const at::Tensor& values) const;

    const stage_spec* spec_;
    tuned_part part_;
    optimizer_settings optimiser_;
    std::size_t size_;
    std::vector<stage_member> members_;
    std::vector<at::Tensor> tunables_;       ///< [size, shape], in the order of spec.tunables().
    std::vector<at::Tensor> first_, second_; ///< Moments, the same; empty before the first step.
    std::map<member_list, batch_state> batches_;
    /// Since take_totals(), by member: float64 and int64 [size].
    at::Tensor loss_sums_, correct_, predictions_;
};

} // namespace gaisnet
