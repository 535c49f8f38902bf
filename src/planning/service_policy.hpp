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

/// Where a run of services stands.
struct service_state {
    std::vector<std::size_t> levels; ///< By model
    double cash = 0;
};

/// The rules of the game.
struct service_rules {
    int rounds = 10;
    bool liquidity = true; ///< Cash may never be negative.
    /// By round and model: what a round of use is multiplied with; empty: 1. Rounds count from 0.
    std::vector<std::vector<double>> demand;

    double demand_of(int round, std::size_t model) const {
        return demand.empty() ? 1.0 : demand.at(static_cast<std::size_t>(round)).at(model);
    }
};

/// What an action brings in: demand x profit, or minus the cost of the upgrade.
double income_of(const std::vector<service_model>&, const service_rules&, int round, const service_state&,
                 service_action);
/// Whether it can be done: there is a next level, and with liquidity the cash for it.
bool is_possible(const std::vector<service_model>&, const service_rules&, int round, const service_state&,
                 service_action);
void apply(const std::vector<service_model>&, const service_rules&, int round, service_state&, service_action);

/// The actions that end with most cash, and that cash.
struct service_plan {
    std::vector<std::optional<service_action>> actions; ///< From the given round on, one a round.
    double cash = -std::numeric_limits<double>::infinity();
};

/// Maximises the long-term cumulative profit (MLCP) from `round` on by dynamic programming over rounds and levels. Of
/// two ways to the same levels at the same round the one with more cash is at least as good ever after (nobody has to
/// spend it), so cash is no part of the state, and the result is exact with liquidity too. O(rounds x levels x models).
/// Among equal plans the first: upgrades and models in order. \throws usage_error when there are more than 20 million
/// combinations of levels, 4e9 of them times rounds, or 126 models.
service_plan best_plan(const std::vector<service_model>&, const service_rules&, int round, const service_state&);

const char* name_of(service_policy);

/// Chooses the action of a round; none: nothing is done. \param models as they are known: true ones for the
/// oracle. \param stream for `random`.
std::optional<service_action> choose_service(service_policy, const std::vector<service_model>& models,
                                             const service_rules&, int round, const service_state&, random_stream&);

/// One round of service.
struct service_step {
    int round = 0; ///< From 0
    std::optional<service_action> action;
    double income = 0;
    service_state after;
};

/// Plays all rounds with true and known profits alike. \param entity of the random stream.
std::vector<service_step> play_services(service_policy, const std::vector<service_model>&, const service_rules&,
                                        double cash, std::uint64_t seed, const std::string& entity = "services");

} // namespace gaisnet
