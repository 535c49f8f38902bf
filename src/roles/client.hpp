#pragma once

#include "roles/stage_role.hpp"

#include <map>
#include <vector>

namespace gaisnet {

/// A client: one stage of its cluster's chain, or two in U-shaped training (start point and head).
struct client_role {
    const deployment* deploy = nullptr;
    actor me;
    std::vector<stage_role> stages;
    std::vector<stage_role> taken;      ///< Stages of lost clients that it holds in this round.
    std::vector<tensor_view> answers{}; ///< Inference, start point only: logits [n, classes] of each batch.
    std::map<std::int64_t, std::vector<std::int64_t>> texts{}; ///< The same of texts: the tokens told, by request.

    bool senses() const { return !stages.empty() && stages.front().first(); }
    bool trainable() const;

    /// One round: receive tunable modules, sense, train, upload. A client that holds nothing returns at once.
    task<> play_round(pass& in, const round_plan&);
    /// Parts of a round. With scheme = centralised a start point senses its samples and sends them to the edge.
    task<> take_modules(pass&);
    task<> sense_samples(pass&, const round_plan&);
    task<> send_samples(pass& in);
    /// A session of inference: receive the missing parts of the model, then work on requests. A start point also senses
    /// the samples and collects the results.
    task<> serve(pass& in, const inference_plan&);

private:
    task<> sense_requests(pass& in, const inference_plan&) const;
    task<> collect_results(pass& in, const inference_plan&);
    task<> work_on_requests(pass& in, const inference_plan&);
    void load();
};

} // namespace gaisnet
