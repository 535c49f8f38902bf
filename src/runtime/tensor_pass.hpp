#pragma once

#include "base/fifo.hpp"
#include "runtime/fixed_point_average.hpp"
#include "runtime/pacer.hpp"
#include "runtime/pass.hpp"
#include "runtime/request_line.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// An average in which this rank takes part.
struct average_plan {
    std::uint32_t edge = 0;
    std::vector<int> group; ///< Ranks that host the edge or one of its clients, sorted.
    average_layout layout;
    tensor_view last; ///< The model before, float32 [elements]; nothing where every slice has contributions.
    std::int64_t total_weight = 0;
    std::vector<std::string> contributors; ///< Names of all contributors to the edge.
    std::size_t local_contributions = 0;   ///< Number of contributions from this rank.
};

/// Clusters that compute together: their strands reach a computation one by one, the last one lets it run for all. Which
/// those are is known beforehand, so it does not depend on how strands of different ranks happen to run.
struct fusion {
    /// By cluster: the first cluster of its group, in the order of clusters; itself if it computes alone. Empty: all do.
    std::vector<int> group_of;
    /// By group, batch of the round or session, and its size: how many clusters have it.
    std::map<std::tuple<int, std::int64_t, std::int64_t>, std::size_t> members;

    int group(int cluster) const {
        return group_of.empty() || cluster < 0 ? cluster : group_of[static_cast<std::size_t>(cluster)];
    }
    std::size_t members_of(int cluster, std::int64_t batch, std::int64_t size) const {
        const auto found = members.find({group(cluster), batch, size});
        return found == members.end() ? 1 : found->second;
    }
};

/// Runs the roles of this rank's nodes with real tensors, as fast as possible, following the decisions of the ledger
/// pass. A computation waits until no strand can go on without one; then the oldest work comes first: the first group of
/// clusters, its first batch, its first micro-batch. So micro-batches go through all stages of a rank one by one, and the
/// rank that has the next stage gets its work early. Only the first `active_clusters` unfinished groups of clusters of this
/// rank, in global order, may have batches in flight. So the smallest unfinished group is active on every rank that hosts
/// a part of it, and no deadlock is possible. One object per round; messages of the next round that arrive early stay in
/// `backlog`.
class tensor_pass final : public pass {
public:
    using backlog_type = std::map<channel, fifo<tensor_view>>;

    struct settings {
        std::vector<int> rank_of;           ///< Indexed by node.
        std::vector<std::string> names;     ///< Indexed by node.
        std::vector<average_plan> averages; ///< In the ledger's order; only those in which this rank takes part.
        std::map<int, std::size_t> strands; ///< By cluster: number of strands on this rank that will enter it.
        fusion together;
        std::size_t active_clusters = 1;                      ///< Groups of fusion that may have batches in flight.
        std::function<void()> idle;                           ///< Called while waiting; throws errors from elsewhere.
        std::function<void(std::uint32_t, const char*)> note; ///< Reports what a node does now, for failure reports.
        std::function<void(std::size_t)> computed; ///< Called after every computation: how many strands it was for.
        std::optional<pacing> pace;                ///< `clock = real`
        bool whole_batches = false;                ///< No batch is divided: no chain is cut over ranks.
        bool nan_when_diverged = false;            ///< An average of unusable values is NaN, in place of an error.
        struct request_batches {
            std::vector<request_batch> batches;
            int in_flight = 1;
            /// By batch: how many have to be answered before; empty: as many as leave in_flight in the chain.
            std::vector<std::size_t> answered_before{};
        };
        std::map<int, request_batches> requests; ///< Inference: indexed by cluster, as the ledger decided.
    };

    tensor_pass(transport& network, settings plan, backlog_type& backlog);

    void spawn(std::uint32_t node, task<> role) override;
    /// Makes all roles ready to run.
    void start();
    /// Steps until done().
    void run();
    /// Resumes a strand, computes, or advances messages and sums; returns false when nothing was possible.
    bool step();
    /// True when all local roles have finished and all messages have left, or when a role has failed.
    bool done();
    /// Ends the pass. \throws the exception of a role that failed.
    void finish();
    /// Which strand waits for what, one line each.
    std::string waiting_for() const;
    /// Lateness of everything that was paced.
    const std::vector<lateness>& late() const { return late_; }
    /// The average of an edge of this rank, after finish().
    const tensor_view& average_of(std::uint32_t edge) const { return averages_.at(edge).result; }

    using pass::send;
    void send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
              std::uint32_t stage = 0) override;
    int micro_batches(int wanted) const override { return plan_.whole_batches ? 1 : wanted; }
    void contribute(actor& from, contribution) override;
    void leave(actor&) override;
    void lose(actor&, std::uint32_t) override {}
    void offer(actor&) override {} ///< The ledger decides which requests form a batch.
    micro_batch batch_of(const actor&) const override;
    void answer(actor&) override;
    void abandon(actor&) override {} ///< Clusters without a result are not played.
    bool begin(operation&) override;

private:
    struct mailbox {
        fifo<tensor_view> messages;
        operation* waiting = nullptr;
    };
    /// A message that has arrived before its time.
    struct held_message {
        pacer::clock::time_point due, delivered;
        std::uint64_t number;
        double due_s;
        channel route;
        tensor_view tensor;
        bool operator<(const held_message& other) const { // a heap keeps the largest entry on top
            return due != other.due ? due > other.due : number > other.number;
        }
    };
    struct average_state {
        const average_plan* plan = nullptr;
        std::unique_ptr<fixed_point_average> sums;
        std::size_t contributed = 0;
        std::unique_ptr<pending_sum> pending;
        bool done = false;
        tensor_view result;
        operation* waiting = nullptr;
    };

    /// Work that can begin.
    struct computation {
        std::tuple<int, std::int64_t, std::int64_t> age; ///< Group, batch of the round or session, first sample.
        std::uint64_t number;                            ///< In the order in which they became possible.
        operation* alone;
        std::vector<operation*> together; ///< If it is not alone: the strands that share it, in the order of clusters.
        bool operator<(const computation& other) const { // a heap keeps the largest entry on top
            return std::tie(other.age, other.number) < std::tie(age, number);
        }
    };

    struct request_desk {
        const settings::request_batches* plan = nullptr;
        std::size_t taken = 0, answered = 0;
        operation* waiting = nullptr;
    };

    static bool may_take(const request_desk& desk) {
        const auto& before = desk.plan->answered_before;
        return before.empty() ? desk.taken - desk.answered < static_cast<std::size_t>(desk.plan->in_flight)
                              : desk.answered >= before.at(desk.taken);
    }
    bool take(request_desk&, operation&);
    /// Puts a computation into its place among the others, once all strands have come that share it.
    void await_turn(operation&, compute_request&);
    /// Runs the computation that comes first.
    void compute();
    /// Runs the computation of some strands as one.
    void run(std::span<operation* const> strands);
    void deliver(const channel& route, tensor_view tensor);
    void hand_over(const channel& route, tensor_view tensor);
    bool release_held();
    bool is_due(std::uint32_t edge) const;
    /// Waits for the next message; returns false when none can come.
    bool wait(int idle_turns);
    void make_ready(operation& ended) { ready_.push_back(ended.waiter()); }
    void activate_clusters();
    /// Advances messages and sums; returns true when something happened.
    bool progress();
    task<> supervise(task<> role);

    transport& network_;
    settings plan_;
    backlog_type& backlog_;
    int rank_;
    std::unordered_map<channel, mailbox, channel_hash> mailboxes_;
    std::map<std::uint32_t, average_state> averages_;
    std::size_t next_average_ = 0;                 ///< Sums start in the ledger's order.
    std::map<int, std::size_t> remaining_strands_; ///< By group.
    std::map<int, std::vector<operation*>> entering_;
    std::vector<int> active_;
    /// Strands that wait for others of their group: peers, operation, batch, its size, first sample.
    using gathering_place = std::tuple<const void*, stage_operation, std::int64_t, std::int64_t, std::int64_t>;
    std::map<gathering_place, std::vector<operation*>> gathering_;
    std::vector<computation> planned_; ///< A heap.
    std::uint64_t next_planned_ = 0;
    std::vector<std::coroutine_handle<>> ready_; ///< A stack.
    std::vector<task<>> roles_;
    std::size_t unfinished_roles_ = 0, unfinished_sums_ = 0;
    std::exception_ptr failure_; ///< Of the first role that failed; the run ends at once, its peers may wait forever.
    trampoline trampoline_;
    std::map<int, request_desk> desks_;
    std::unordered_map<channel, std::size_t, channel_hash> paced_; ///< Number of messages so far, by channel.
    std::vector<held_message> held_;                               ///< A heap.
    std::uint64_t next_held_ = 0;
    std::vector<lateness> late_;
    struct {
        std::uint32_t node = 0;
        pacer::clock::time_point begin{}, end{};
    } computed_; ///< The last computation.
};

} // namespace gaisnet
