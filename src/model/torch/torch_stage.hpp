#pragma once

#include "model/torch/stage_stack.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace gaisnet {

/// A stage that computes with LibTorch, on the device and in the type of its backbone; tunables and smashed data are
/// float32. All stages of a rank share the read-only backbone. Its tensors are those of a member of a stack, which computes
/// for it alone or together with others.
class torch_stage final : public stage_executor {
public:
    /// \param source the start point's samples; null for stages that need none.
    torch_stage(std::shared_ptr<stage_stack> stack, std::shared_ptr<sample_source> source)
        : stack_(std::move(stack))
        , member_(stack_->add(std::move(source))) {}
    /// A stage that computes alone.
    torch_stage(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone, optimizer_settings optimiser,
                std::shared_ptr<sample_source> source)
        : torch_stage(std::make_shared<stage_stack>(spec, std::move(backbone), optimiser, 1), std::move(source)) {}

    /// Caches outputs of frozen parts by sample (see stage_spec::frozen_up_to_head).
    void keep_outputs(output_cache::sample_numbers numbers) { own().cache.emplace(std::move(numbers)); }

    /// Where it has the output layer: chooses the tokens of texts that are generated.
    void choose_tokens_by(token_chooser chooser) { own().chooser = std::move(chooser); }

    void load(const tensor_view& modules) override { stack_->load(member_, modules); }
    tensor_view unload() override { return stack_->unload(member_); }
    tensor_view labels(const micro_batch& micro) override { return own().source->labels(micro); }
    tensor_view padding(const micro_batch& micro) override { return own().source->padding(micro); }
    tensor_view run(const stage_request&) override;

    const void* peers() const override { return stack_->size() > 1 ? stack_.get() : nullptr; }
    void run_together(std::span<joint_request> all) override;

    training_totals take_totals() override { return stack_->take_totals(member_); }
    executor_state save_state() override { return stack_->save_state(member_); }
    void restore_state(const executor_state& state) override { stack_->restore_state(member_, state); }

    /// Its tunables, and their gradients since the last step; undefined where there are none.
    std::vector<at::Tensor> parameters() const { return stack_->parameters(member_); }
    std::vector<at::Tensor> gradients() const { return stack_->gradients(member_); }

private:
    stage_member& own() { return stack_->member(member_); }

    std::shared_ptr<stage_stack> stack_;
    std::size_t member_;
};

} // namespace gaisnet
