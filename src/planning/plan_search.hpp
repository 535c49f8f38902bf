#pragma once

#include "planning/plan_bound.hpp"
#include "planning/plan_figures.hpp"
#include "planning/plan_judge.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// A plan to compare with.
struct compared_plan {
    std::string name; ///< "even split"
    plan_figures figures;
};

/// What a planner has chosen, and how good it is.
struct chosen_plan {
    formed_clusters formed;
    schedule_kind schedule = schedule_kind::serial;
    int micro_batches = 1;
    tuning_settings tuning;

    plan_objective objective;
    planned_parts parts;
    bool tuning_is_measured = false;     ///< The tuning method was chosen by training, before.
    plan_figures given, planned;         ///< By the ledger, of the scenario as it was, and of the plan.
    std::vector<compared_plan> compared; ///< Baselines, by the ledger.
    plan_bound bound;
    std::vector<std::string> left_out; ///< Clients in no cluster.
    double seconds = 0;                ///< That the search took.
    std::uint64_t plays = 0;           ///< Of the ledger.

    /// How far the plan may be from the best one, relative to the bound; 0 without a bound.
    double gap() const;
};

/// Whether a scenario leaves something to a planner: parts_to_plan(), or cluster.start = data.
bool wants_plan(const scenario&);

/// Plans what the scenario leaves open (see parts_to_plan). Begins with the scenario as it is given; the plan is never
/// worse than that or one of the baselines.
/// \param sizes of each edge's data
/// \throws does_not_fit when nothing fits, naming the largest client; usage_error naming the link that is out of reach.
chosen_plan make_plan(const scenario&, std::shared_ptr<const tuning_method>, const std::vector<domain_size>& sizes,
                      const client_data&, const network_state& = {});

/// The scenario with what has been chosen.
void apply(const chosen_plan&, scenario&);

} // namespace gaisnet
