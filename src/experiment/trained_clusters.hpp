#pragma once

#include "experiment/backbone.hpp"
#include "experiment/collected.hpp"
#include "experiment/preparation.hpp"
#include "experiment/replanning.hpp"
#include "experiment/session.hpp"
#include "model/torch/tuned_model.hpp"
#include "results/recorder.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/tensor_run.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// The clusters of a fine-tuning run as they are now: rank 0 plays their rounds in the ledger, then every rank those of its
/// nodes with tensors. With plan.period they give way to others between rounds: ledger and optimisers keep their states, and
/// a stage that its node did not hold begins with an initial one. Every rank makes one and makes the same calls.
class trained_clusters {
public:
    /// All must outlive it.
    trained_clusters(prepared_run&, session&, const loaded_backbone&);

    /// Makes the tensors of the first models, or of a checkpoint. \param hooks is called for their hooks, now and when
    /// clusters change.
    void make_tensors(std::function<tensor_run_hooks()> hooks, const std::optional<checkpoint>& from);
    tensor_run& tensors() { return *tensors_; }

    /// Before a round: takes other clusters, if it is time, or nobody could play, and they are better. \param from the
    /// checkpoint of a resumed run, which knows its changes. \param file null: they are not recorded. \returns false when
    /// nobody can play the round.
    bool change(int round, const std::optional<checkpoint>& from, recorder* file);
    bool may_change() const { return planner_.active(); }
    const std::vector<cluster_change>& changes() const { return planner_.changes(); }

    /// At rank 0, and nothing elsewhere: the ledger's pass of a round, unless it is there already.
    const std::optional<round_forecast>& forecast(int round);
    /// The same, for the round to be played.
    round_forecast take_forecast(int round);
    /// At rank 0: whether any cluster can take part in another round.
    bool anyone_left() const { return ledger_->anyone_left(); }
    std::uint64_t ledger_events() const { return ledger_->events_fired(); }
    double ledger_seconds() const { return ledger_s_; }

    /// The batches of all edges' validation samples that this rank evaluates.
    std::vector<batch_result> evaluate();
    /// At rank 0: the states of all stages, and the tunables of each edge's model.
    std::map<std::string, executor_state> stages();
    std::vector<tensor_view> models();

private:
    void make_tensors();
    void take(deployment&&, recorder* file);
    std::vector<int> ranks_for_order() const;

    prepared_run& run_;
    session& here_;
    const loaded_backbone& backbone_;
    replanning planner_;
    int planned_for_ = 0;                ///< The last round before which clusters were planned again.
    std::unique_ptr<ledger_run> ledger_; ///< Rank 0
    std::optional<round_forecast> next_; ///< Rank 0: a round that has not begun.
    double ledger_s_ = 0;
    std::function<tensor_run_hooks()> hooks_;
    std::unique_ptr<tensor_run> tensors_; ///< A resumed run has none before its first round.
    std::vector<tuned_model> evaluated_;  ///< By edge
};

} // namespace gaisnet
