#pragma once

#include "roles/stage_role.hpp"

namespace gaisnet {

/// An edge: owns its domain model, delivers it to its clusters, averages what comes back; may itself be a stage of
/// their chains. Deliveries are charged by their size and carry no values: every rank of the edge took part in the sum that
/// made the model, so the receivers have it (stage_role::domain).
struct edge_role {
    const deployment* deploy = nullptr;
    actor me;
    std::vector<stage_role> stages; ///< Its stages, one for each of its clusters, or none.
    std::vector<stage_role> taken;  ///< Of lost clients, in this round.
    tensor_view model;              ///< Tunables of the domain model, float32 [elements].

    /// One round: deliver, average, evaluate (the result of the evaluation is made elsewhere). Its stages play beside
    /// it, so that it can close a round that they have not ended.
    task<> play_round(pass& in, const round_plan&);
    /// After a round that federates: gives its shared modules to the cloud and takes their average over.
    task<> federate(pass& in);
    /// The round, and what follows it.
    task<> play(pass& in, const round_plan&);
    /// A stage of one of its chains, in a round.
    task<> train(pass& in, stage_role& stage, const round_plan&);
    /// A session of inference: delivers to the members of a cluster what they lack, when it is founded.
    task<> found(pass& in, int cluster, const inference_plan&) const;
    /// A stage of one of its chains, in a session of inference.
    task<> infer(pass& in, stage_role& stage, const inference_plan&);
    /// Sends the modules of lost clients of a cluster, as they were after the last average, to who takes them over.
    task<> repair(pass& in, int cluster, const round_plan&) const;

private:
    /// Sends every client of its clusters the modules that it tunes.
    void deliver(pass& in, const round_plan&);
};

/// A model with other shared modules: `shared`, float32 [the first elements of the model].
tensor_view with_shared(const tensor_view& model, const tensor_view& shared);

} // namespace gaisnet
