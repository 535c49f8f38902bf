#pragma once

#include "roles/cast.hpp"
#include "rounds/ledger_run.hpp"
#include "runtime/tensor_pass.hpp"
#include "transport/transport.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// The state of one stage between rounds, for a checkpoint.
struct saved_stage {
    std::string name; ///< "c1.2@c1:2": node, cluster and position; it does not depend on the ranks.
    executor_state state;
    static auto parts(auto& self) { return std::tie(self.name, self.state); }
};

/// Optimiser states after a change of clusters: of the stages that the same nodes hold in both deployments. \param
/// states of the stages before
std::map<std::string, executor_state> renamed(std::map<std::string, executor_state> states, const deployment& before,
                                              const deployment& after);

/// Callbacks and clock of a tensor_run.
struct tensor_run_hooks {
    std::function<void()> idle; ///< See tensor_pass::settings.
    std::function<void(std::uint32_t, const char*)> note;
    std::function<void(std::size_t)> computed;
    const pacer* clock = nullptr;   ///< `clock = real`
    bool nan_when_diverged = false; ///< See tensor_pass::settings.
};

/// Plays the rounds of a scenario with real tensors on this rank's nodes.
class tensor_run {
public:
    using hooks = tensor_run_hooks;

    /// \param initial tunables of each edge's model, float32 [elements].
    tensor_run(const deployment&, transport&, std::vector<int> rank_of, const executor_factory&,
               const std::vector<tensor_view>& initial, hooks = {});

    /// Plays a round. Every rank has to call it.
    void play(int round, const round_decisions&);
    /// play() in steps, for a round without turns: begin(), then pass().step() until pass().done(), then end().
    void begin(int round, const round_decisions&);
    tensor_pass& pass() { return *pass_; }
    void end();

    /// The ranks that hold the model of an edge: those that host it or one of its clients. For the cloud: all ranks
    /// that host anything.
    const std::vector<int>& group_of(std::uint32_t averaging) const;
    bool in_group(std::uint32_t averaging) const;
    /// The domain model after the last round, on every rank of the edge's group.
    const tensor_view& model(std::uint32_t edge) const { return cast_.model(edge); }
    void set_model(std::uint32_t edge, const tensor_view& model) { cast_.set_model(edge, model); }

    /// Training totals of the last round by cluster, for clusters whose head is on this rank.
    std::map<int, training_totals> take_totals();

    /// Sets the clock that paces the next rounds; null: none.
    void pace_by(const pacer* clock) { hooks_.clock = clock; }
    /// Lateness of everything in the last round on this rank; empty unless it was paced.
    std::vector<lateness> take_lateness() { return std::exchange(late_, {}); }

    std::vector<saved_stage> save();
    /// Restores this rank's stages from the stages of a checkpoint.
    void restore(const std::map<std::string, executor_state>&);

private:
    std::vector<exchange> exchanges_of(const round_decisions&) const;
    average_plan cloud_average() const;
    fusion together(int round) const;

    const deployment& deploy_;
    transport& network_;
    std::vector<int> rank_of_;
    hooks hooks_;
    cast cast_;
    std::vector<std::vector<int>> groups_; ///< Indexed by edge.
    std::vector<int> cloud_group_;         ///< Empty without a cloud.
    tensor_pass::backlog_type backlog_;
    std::unique_ptr<tensor_pass> pass_; ///< The round under way.
    std::vector<std::uint32_t> averaged_;
    std::map<channel, std::vector<double>> arrivals_; ///< `clock = real`
    std::vector<lateness> late_;
    round_plan round_; ///< The round under way; roles refer to it.
};

} // namespace gaisnet
