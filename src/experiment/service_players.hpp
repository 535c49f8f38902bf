#pragma once

#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/service_accounts.hpp"
#include "experiment/service_forecasts.hpp"
#include "experiment/session.hpp"
#include "model/torch/tuned_model.hpp"
#include "planning/service_policy.hpp"
#include "roles/deployment.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/tensor_run.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// The edges' models, which are fine-tuned and answer requests: the ledger plays at rank 0, tensors on all ranks. Of
/// services before a checkpoint only the ledger's part is played again; what tensors gave is known from it. Every rank
/// makes one and makes the same calls.
class service_players {
public:
    /// \param answering the same nodes as the run's, with the links of inference. \param clock null: virtual. \param from
    /// a checkpoint, whose services are played again until restore(); null: none. All of them must outlive the
    /// players. \param requests of each start point in all, by cluster; empty: as many as serve.demand may ask for.
    service_players(const prepared_run&, const deployment& answering, session&, const loaded_backbone&,
                    real_clock* clock, const checkpoint* from, const std::vector<std::int64_t>& requests);

    const std::vector<std::string>& start_points() const { return start_points_; } ///< Names, by cluster.
    /// Number of requests that a round of use of an edge's model answers. \param round starts at 0.
    std::int64_t demand_of(int round, std::uint32_t edge) const;
    /// Whether a cluster's chain holds its edge's model as it is: none of it is delivered in the next session.
    bool has_version(int cluster) const {
        return versions_[static_cast<std::size_t>(cluster)] == rounds_[edge_of(cluster)];
    }

    /// A round of fine-tuning of one edge. \param round of service, from 0. \param now_s when it begins.
    /// \returns its forecast, at rank 0.
    round_forecast train(int round, std::uint32_t edge, double now_s);
    /// From now on the edge's model as it is answers requests.
    void put_to_use(std::uint32_t edge);
    /// The session of an edge's client whose turn it is, with the demand of a round. It has to be played.
    session_order take_turn(int round, std::uint32_t edge);
    /// A session of inference with one request or more. \param round and now_s as above. \returns it at rank 0.
    answered_session answer(int round, const session_order&, double now_s);
    /// Results of some edges' models as they are, with those of their last training, by edge; at rank 0.
    std::vector<round_result> evaluate(std::span<const std::uint32_t> edges);

    /// How many rounds an edge's model was trained for.
    int rounds_of(std::uint32_t edge) const { return rounds_[edge]; }
    /// `clock = real`, at rank 0: of all services so far.
    const std::vector<fidelity_row>& fidelity() const { return fidelity_; }
    /// What follows is not a service, and is not paced by the real clock.
    void leave_real_time();

    /// Whether these are services before a checkpoint.
    bool replays() const { return from_ != nullptr; }
    /// They are done: models become those of the checkpoint.
    void restore();
    /// What a checkpoint has of the players.
    checkpoint save() const;

private:
    void make_tensors(const loaded_backbone&, const std::vector<std::int64_t>& requests);
    std::int64_t largest_demand() const;
    std::uint32_t edge_of(int cluster) const;
    int first_cluster(std::uint32_t edge) const { return first_cluster_of(*run_.scene, static_cast<int>(edge)); }
    std::uint32_t edges() const { return static_cast<std::uint32_t>(run_.scene->network.edges); }
    template <typename Players, typename Work>
    void in_real_time(int round, double latency_s, Players&, const Work&);

    const prepared_run& run_;
    const deployment& answering_;
    session& here_;
    real_clock* clock_;      ///< Null: virtual.
    const checkpoint* from_; ///< Null: nothing is played again.
    service_rules rules_;
    std::vector<std::string> start_points_; ///< By cluster
    std::unique_ptr<tensor_run> tuner_;
    std::unique_ptr<inference_run> answerer_;
    std::vector<tuned_model> evaluated_; ///< By edge
    std::unique_ptr<ledger_run> tuning_ledger_;
    std::unique_ptr<inference_ledger> answer_ledger_;
    std::vector<int> rounds_;           ///< By edge
    std::vector<int> sessions_of_edge_; ///< So far
    std::vector<int> versions_;         ///< By cluster: rounds of the model that its chain holds; -1: none.
    std::vector<std::int64_t> used_;    ///< Indexed by cluster: requests before those of the next session.
    std::vector<std::vector<round_result>> evaluations_; ///< Rank 0: results of the evaluations so far.
    std::vector<session_answers> sessions_;              ///< Rank 0: answers of the sessions so far.
    std::vector<fidelity_row> fidelity_;                 ///< Rank 0
};

} // namespace gaisnet
