#pragma once

#include "experiment/backbone.hpp"
#include "experiment/collected.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/session.hpp"
#include "model/vit/tuned_vit.hpp"
#include "roles/cast.hpp"
#include "rounds/tensor_run.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// What the stages of this rank train with. The run must outlive the executors.
executor_factory training_executors(const prepared_run&, std::shared_ptr<const vit_backbone>);

/// Hooks by which a pass hears of interrupts and says what it does. \param clock null: none. \param where what it is
/// part of, "round 3: "; null: nothing. The run and the session must outlive them.
tensor_run_hooks watchful_hooks(const prepared_run&, session&, const real_clock* clock,
                                std::function<std::string()> where = {});

/// Computations of a rank in each round of training, as tensor_run_hooks::computed counts them.
std::uint64_t computations_a_round(const prepared_run&, int rank);

/// The tunables of each edge's model before training, float32 [elements].
std::vector<tensor_view> initial_models(const prepared_run&, const loaded_backbone&);

/// This rank's part of the evaluation of some edges' models. \param models by edge: they are loaded with the values.
std::vector<batch_result> evaluate_models(const prepared_run&, session&, const tensor_run&,
                                          std::vector<tuned_vit>& models, std::span<const std::uint32_t> edges);

} // namespace gaisnet
