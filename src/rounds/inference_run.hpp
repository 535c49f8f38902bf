#pragma once

#include "roles/cast.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/tensor_run.hpp"
#include "transport/transport.hpp"

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace gaisnet {

/// Plays sessions of inference with real tensors on this rank's nodes.
class inference_run {
public:
    /// \param models tunables of each edge's model, float32 [elements], the same on every rank.
    inference_run(const deployment&, transport&, std::vector<int> rank_of, const executor_factory&,
                  const std::vector<tensor_view>& models, tensor_run_hooks = {});

    /// Replaces an edge's model. Every rank that hosts the edge or one of its clients has to call it.
    void set_model(std::uint32_t edge, const tensor_view& model) { cast_.set_model(edge, model); }
    /// Plays a session. Every rank has to call it.
    void play(const inference_plan&, const inference_decisions&);
    /// play() in steps: begin(), then pass().step() until pass().done(), then end().
    void begin(const inference_plan&, const inference_decisions&);
    tensor_pass& pass() { return *pass_; }
    void end();

    /// Lateness of everything in the last session on this rank; empty unless it was paced.
    std::vector<lateness> take_lateness() { return std::exchange(late_, {}); }
    /// Logits float32 [requests, classes] of the last session by cluster, for the start points on this rank.
    std::map<int, tensor_view> answers() const;
    /// Of texts: the tokens that were told, by cluster and request.
    std::map<int, std::map<std::int64_t, std::vector<std::int64_t>>> texts() const;

private:
    const deployment& deploy_;
    transport& network_;
    std::vector<int> rank_of_;
    tensor_run_hooks hooks_;
    cast cast_;
    tensor_pass::backlog_type backlog_;
    std::map<channel, std::vector<double>> arrivals_; ///< `clock = real`
    std::vector<lateness> late_;
    std::unique_ptr<tensor_pass> pass_; ///< The session under way.
};

} // namespace gaisnet
