#pragma once

#include "experiment/backbone.hpp"
#include "experiment/collected.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/session.hpp"
#include "model/torch/stage_stack.hpp"
#include "model/torch/tuned_model.hpp"
#include "roles/cast.hpp"
#include "rounds/tensor_run.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// The stacks of clusters that compute together (deployment::groups), made where they are asked for first. All stages of a
/// stack are on one rank (see place_nodes).
class stage_stacks {
public:
    stage_stacks(const deployment&, std::shared_ptr<const model_backbone>, optimizer_settings);
    /// That of a seat, which joins it next.
    std::shared_ptr<stage_stack> of(const stage_seat&);

private:
    const deployment& deploy_;
    std::shared_ptr<const model_backbone> backbone_;
    optimizer_settings optimiser_;
    std::map<std::pair<int, std::size_t>, std::shared_ptr<stage_stack>> stacks_; ///< By group and position.
};

/// Makes the training executors of this rank's stages. The run must outlive them.
executor_factory training_executors(const prepared_run&, std::shared_ptr<const model_backbone>);

/// Hooks that let a pass check for interrupts and report what it does. \param clock null: virtual clock. \param where
/// the round of which the report tells; null: of none. The run and the session must outlive the hooks.
tensor_run_hooks watchful_hooks(const prepared_run&, session&, const real_clock* clock,
                                std::function<int()> where = {});

/// Counts a rank's computations per round of training, as tensor_run_hooks::computed reports them.
std::uint64_t computations_a_round(const prepared_run&, int rank);

/// Initial tunables of each edge's model, float32 [elements].
std::vector<tensor_view> initial_models(const prepared_run&, const loaded_backbone&);

/// Evaluates this rank's share of the batches for some edges. \param models indexed by edge; the current values are
/// loaded.
std::vector<batch_result> evaluate_models(const prepared_run&, session&, const tensor_run&,
                                          std::vector<tuned_model>& models, std::span<const std::uint32_t> edges);

} // namespace gaisnet
