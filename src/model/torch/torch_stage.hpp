#pragma once

#include "model/stage_executor.hpp"
#include "model/token_sampling.hpp"
#include "model/torch/optimizer.hpp"
#include "model/torch/output_cache.hpp"
#include "model/torch/sample_source.hpp"
#include "model/torch/tuned_part.hpp"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace gaisnet {

/// A stage that computes with LibTorch, on the device and in the type of its backbone; tunables and smashed data are
/// float32. All stages of a rank share the read-only backbone; each has its own tunables, gradients and optimiser
/// state.
class torch_stage final : public stage_executor {
public:
    /// \param source the start point's samples; null for stages that need none.
    torch_stage(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone, optimizer_settings optimiser,
                std::shared_ptr<sample_source> source);

    /// Caches outputs of frozen parts by sample (see stage_spec::frozen_up_to_head).
    void keep_outputs(output_cache::sample_numbers numbers) { cache_.emplace(std::move(numbers)); }

    /// Where it has the output layer: chooses the tokens of texts that are generated.
    void choose_tokens_by(token_chooser chooser) { chooser_ = std::move(chooser); }

    void load(const tensor_view& modules) override;
    tensor_view unload() override;
    tensor_view labels(const micro_batch&) override;
    tensor_view padding(const micro_batch&) override;
    tensor_view run(const stage_request&) override;

    training_totals take_totals() override;
    executor_state save_state() override;
    void restore_state(const executor_state&) override;

    std::vector<at::Tensor>& parameters() { return part_.parameters(); }

private:
    struct saved_batch {
        at::Tensor input, output;
    };
    at::Device device() const { return part_.backbone().device(); }
    void start_totals();
    tensor_view sent(const at::Tensor& values) const;
    at::Tensor received(const tensor_view& message, const std::vector<std::int64_t>& shape) const;
    tensor_view forward(const stage_request&);
    at::Tensor run_frozen_or_not(const stage_request&, saved_batch&);
    tensor_view infer(const stage_request&);
    tensor_view generate(const stage_request&);
    tensor_view backward(const stage_request&);
    at::Tensor loss_of(const at::Tensor& pooled, const stage_request&);
    at::Tensor padding_of(const stage_request&) const;
    /// \returns all tokens, or what is left for the head.
    at::Tensor run_blocks(at::Tensor tokens, const stage_request&) const;

    const stage_spec* spec_;
    tuned_part part_;
    optimizer optimizer_;
    std::shared_ptr<sample_source> source_;
    std::map<std::int64_t, saved_batch> saved_; ///< Indexed by the micro-batch's first sample.
    std::optional<output_cache> cache_;
    token_chooser chooser_;
    std::map<std::int64_t, std::vector<attention_cache>> texts_; ///< Under way, by request: a cache for each block.
    at::Tensor loss_sum_, correct_, predictions_;                ///< Since take_totals(), float64 and int64 [].
};

} // namespace gaisnet
