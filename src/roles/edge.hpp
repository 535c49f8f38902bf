#pragma once

#include "roles/stage_role.hpp"

namespace gaisnet {

/// An edge: owns its domain model, delivers it to its clusters, and averages their contributions. It may also be a
/// stage of their chains. Deliveries are charged by their size and carry no values: every rank of the edge took part in the sum that
/// made the model, so the receivers have it (stage_role::domain).
struct edge_role {
    const deployment* deploy = nullptr;
    actor me;
    std::vector<stage_role> stages; ///< Its own stages: one for each of its clusters, or none.
    std::vector<stage_role> taken;  ///< Stages of lost clients that it holds in this round.
    tensor_view model;              ///< Tunables of the domain model, float32 [elements].

    /// One round: deliver, average, evaluate (the accuracy is computed elsewhere). Its stages run concurrently, so that
    /// it can close a round that they have not finished.
    task<> play_round(pass& in, const round_plan&);
    /// After a round with a federation: sends its shared modules to the cloud and adopts their average.
    task<> federate(pass& in);
    /// The round and, if there is one, the federation.
    task<> play(pass& in, const round_plan&);
    /// Runs a stage of one of its chains in a round.
    task<> train(pass& in, stage_role& stage, const round_plan&);
    /// A session of inference: when a cluster is founded, delivers what its members lack.
    task<> found(pass& in, int cluster, const inference_plan&) const;
    /// Runs a stage of one of its chains in a session of inference.
    task<> infer(pass& in, stage_role& stage, const inference_plan&);
    /// Sends the modules of a cluster's lost clients, as they were after the last average, to their heirs.
    task<> repair(pass& in, int cluster, const round_plan&) const;

private:
    /// Sends every client of its clusters the modules that the client tunes.
    void deliver(pass& in, const round_plan&);
};

} // namespace gaisnet
