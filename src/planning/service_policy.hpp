#pragma once

#include "base/random.hpp"
#include "scenario/services.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

struct service_action {
    bool upgrade = false;
    std::size_t model = 0;
    bool operator==(const service_action&) const = default;
};

/// Current state of a run of services.
struct service_state {
    std::vector<std::size_t> levels; ///< Indexed by model.
    double cash = 0;
};

/// Rules and demand.
struct service_rules {
    int rounds = 10;
    bool liquidity = true; ///< No service may make cash negative, or lower it when it is.
    /// Factor for the profit of a round of use, by round and model; empty: 1. Rounds start at 0.
    std::vector<std::vector<double>> demand;

    double demand_of(int round, std::size_t model) const {
        return demand.empty() ? 1.0 : demand.at(static_cast<std::size_t>(round)).at(model);
    }
};

/// Income of an action: demand x profit, or minus the cost of the upgrade.
double income_of(const std::vector<service_model>&, const service_rules&, int round, const service_state&,
                 service_action);
/// Whether an action is possible: there is a next level and, with liquidity, enough cash, unless it lowers none.
bool is_possible(const std::vector<service_model>&, const service_rules&, int round, const service_state&,
                 service_action);
void apply(const std::vector<service_model>&, const service_rules&, int round, service_state&, service_action);

/// The sequence of actions with the largest final cash, and that cash.
struct service_plan {
    std::vector<std::optional<service_action>> actions; ///< One per round, starting with the given round.
    double cash = -std::numeric_limits<double>::infinity();
};

/// Maximises the long-term cumulative profit (MLCP) from `round` on, by dynamic programming over rounds and levels.
/// Cash is not part of the state: of two ways to the same levels in the same round, the one with more cash is never
/// worse, since nobody has to spend it. So the result is exact, even with liquidity. O(rounds x levels x models). Ties
/// are broken in favour of the first plan, with upgrades and models in order. \throws usage_error for more than 20
/// million combinations of levels, 4e9 combinations times rounds, or 126 models.
service_plan best_plan(const std::vector<service_model>&, const service_rules&, int round, const service_state&);

const char* name_of(service_policy);

/// Chooses the action of a round; nothing: no action. \param models as they are known; the true ones for the oracle.
/// \param stream for `random`.
std::optional<service_action> choose_service(service_policy, const std::vector<service_model>& models,
                                             const service_rules&, int round, const service_state&, random_stream&);

/// One round of service.
struct service_step {
    int round = 0; ///< Starts at 0.
    std::optional<service_action> action;
    double income = 0;
    service_state after;
};

/// Plays all rounds with profits that are known exactly. \param entity of the random stream.
std::vector<service_step> play_services(service_policy, const std::vector<service_model>&, const service_rules&,
                                        double cash, std::uint64_t seed, const std::string& entity = "services");

} // namespace gaisnet
