#pragma once

#include "experiment/backbone.hpp"
#include "experiment/collected.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/session.hpp"
#include "model/torch/tuned_model.hpp"
#include "roles/cast.hpp"
#include "rounds/tensor_run.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Makes the training executors of this rank's stages. The run must outlive them.
executor_factory training_executors(const prepared_run&, std::shared_ptr<const model_backbone>);

/// Hooks that let a pass check for interrupts and report what it does. \param clock null: virtual clock. \param where
/// prefix of the report, "round 3: "; null: none. The run and the session must outlive the hooks.
tensor_run_hooks watchful_hooks(const prepared_run&, session&, const real_clock* clock,
                                std::function<std::string()> where = {});

/// Counts a rank's computations per round of training, as tensor_run_hooks::computed reports them.
std::uint64_t computations_a_round(const prepared_run&, int rank);

/// Initial tunables of each edge's model, float32 [elements].
std::vector<tensor_view> initial_models(const prepared_run&, const loaded_backbone&);

/// Evaluates this rank's share of the batches for some edges. \param models indexed by edge; the current values are
/// loaded.
std::vector<batch_result> evaluate_models(const prepared_run&, session&, const tensor_run&,
                                          std::vector<tuned_model>& models, std::span<const std::uint32_t> edges);

} // namespace gaisnet
