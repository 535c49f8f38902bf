#pragma once

#include "experiment/preparation.hpp"
#include "experiment/session.hpp"
#include "planning/plan_judge.hpp"
#include "roles/held_weights.hpp"
#include "rounds/checkpoint.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace gaisnet {

/// Forms and plans the clusters of a run again every plan.period rounds, from what is known then: where clients are, and
/// whose battery is empty. A plan is taken if it gains more until the next one than it costs to deliver the frozen
/// weights that clients lack, by the ledger.
class replanning {
public:
    replanning(prepared_run&, session&);

    /// Whether clusters can change at all, and whether it is time before a round.
    bool active() const { return run_.scene->plan.period > 0; }
    bool due(int round) const;
    /// New clusters before a round; absent if those that are there stay. Every rank has to call it.
    /// \param now at rank 0, where the ledger is. \param known those of a run that is resumed, instead of a search
    std::optional<deployment> next(int round, const ledger_state* now, const std::vector<cluster_change>& known);
    /// What was decided so far, for a checkpoint.
    const std::vector<cluster_change>& changes() const { return changes_; }

private:
    std::optional<formed_clusters> better_ones(int round, const ledger_state& now) const;
    deployment make(const formed_clusters&, int round, double at_s) const;

    prepared_run& run_;
    session& here_;
    held_weights held_;
    std::vector<cluster_change> changes_;
};

} // namespace gaisnet
