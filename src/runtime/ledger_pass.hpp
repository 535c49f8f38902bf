#pragma once

#include "emulation/ledger.hpp"
#include "runtime/pass.hpp"
#include "runtime/request_line.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// What an edge's average waits for.
struct average_expectation {
    std::map<int, std::size_t> contributions; ///< By party: a cluster that plays, or an edge.
    std::int64_t elements = 0;                ///< In the domain model.
    std::size_t clusters_wanted = 0;          ///< Closes when as many have finished; more than exist: when all have.
    double deadline_s = never;                ///< Latest time at which it closes.
};

/// How an edge's round was closed.
struct round_closing {
    double closed_s = 0; ///< Time of closing.
    std::set<int> done;  ///< Parties all of whose contributions arrived in time.
    std::set<int> lost;  ///< Clusters that gave up.
};

/// A message that was sent in a round: its shape, and the start of its transfer.
struct sent_message {
    channel route;
    tensor_view shape;
    int cluster = -1;        ///< -1: sent by an edge's own work.
    std::int64_t event = -1; ///< The transfer that was charged for it; -1: none, it started at once.
    double sent_at = 0;
    std::int64_t batch = -1; ///< Of its sender.
};

/// Peak memory of one node in a round, computed from shapes.
struct memory_account {
    std::uint64_t current = 0; ///< Current intermediate results, smashed data and caches, in bytes.
    std::uint64_t peak = 0;
    std::uint64_t cached = 0, cached_peak = 0; ///< Keys and values of texts.
};

/// Runs roles with shapes instead of tensors, while the ledger determines the time: the strand with the smallest
/// (virtual time, node, sequence) always continues. One object per round; single-threaded and deterministic.
class ledger_pass final : public pass {
public:
    /// \param averages of one edge, if it may close before all have finished: that cuts everything else.
    ledger_pass(ledger& accounts, std::vector<std::string> names,
                std::map<std::uint32_t, average_expectation> averages);

    /// Records messages between nodes for which `wanted` is true, in the order of sending.
    void record(std::function<bool(const channel&)> wanted, std::vector<sent_message>& log);
    /// Records the arrival times of each channel's messages.
    void record_arrivals(std::map<channel, std::vector<double>>& times) { arrivals_ = &times; }
    /// Gradients of smashed data are treated as small: they cost no time, bytes or energy.
    void leave_gradients_uncharged() { charge_gradients_ = false; }
    /// Start points have been sensing since a time before the start of the pass.
    void sense_since(double time) { sensing_since_s_ = time; }
    /// Start points serve requests, by cluster.
    void serve(std::map<int, request_line> lines);
    /// The outcome of a cluster's requests.
    const served_requests& served(int cluster) const { return desks_.at(cluster).log; }
    const request_line& line(int cluster) const { return desks_.at(cluster).line; }
    double arrival_s(int cluster, std::size_t request) const {
        return ledger_.round_start_s() + desks_.at(cluster).line.arrivals_s.at(request);
    }
    /// When a node received modules; the start of the round if it received none.
    double delivered_s(std::uint32_t node) const;
    /// Adds a node's role; it starts at the ledger's current time.
    void spawn(std::uint32_t node, task<> role) override { spawn(node, std::move(role), queue_.now()); }
    void spawn(std::uint32_t node, task<> role, double start_s);
    /// Runs all roles to their end. \throws runtime_failure that names every blocked node and what it waits for;
    /// rethrows a role's exception.
    void run();

    const memory_account& memory(std::uint32_t node) const { return memory_[node]; }
    const round_closing& closing(std::uint32_t edge) const { return averages_.at(edge).closing; }
    /// When a cluster's start point began each batch.
    const std::vector<double>& batch_starts(int cluster) { return batch_starts_[cluster]; }
    /// Lost clients, and when they were lost.
    const std::map<std::uint32_t, double>& lost_clients() const { return lost_clients_; }

    using pass::send;
    void send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
              std::uint32_t stage = 0) override;
    void contribute(actor& from, contribution) override;
    void leave(actor&) override {}
    void begin_batch(actor& who) override { batch_starts_[who.cluster].push_back(queue_.now()); }
    void lose(actor&, std::uint32_t client) override { lost_clients_[client] = queue_.now(); }
    void abandon(actor&) override;
    void offer(actor&) override;
    micro_batch batch_of(const actor&) const override;
    void answer(actor&) override;
    bool begin(operation&) override;

private:
    struct arrival {
        tensor_view tensor;
        std::int64_t cause = -1;
    };
    struct mailbox {
        fifo<arrival> messages;
        operation* waiting = nullptr;
    };
    struct in_flight {
        channel route;
        tensor_view tensor;
        std::int64_t event = -1;
        std::uint64_t bytes = 0;
        int party = -1; ///< For a contribution.
    };
    struct average_state {
        average_expectation expected;
        std::map<int, std::size_t> arrived; ///< Number of contributions, by party.
        round_closing closing;
        std::int64_t cause = -1; ///< The last contribution.
        bool closed = false;
        operation* waiting = nullptr;
        event_queue::ticket deadline = event_queue::no_ticket;
    };

    /// The requests of a cluster at its start point.
    struct request_desk {
        request_line line;
        served_requests log;
        std::size_t arrived = 0, offered = 0, taken = 0;
        std::size_t answered = 0; ///< Number of batches.
        operation* waiting = nullptr;
        std::size_t open = 0; ///< Batches, or texts, in the chain.
        struct open_text {
            request_batch next;
            std::int64_t cause; ///< The event that brought the last token.
        };
        std::deque<open_text> ready; ///< Texts whose last token has come back, in that order.
    };

    bool begin_arrival(operation&);
    bool begin_batch_of_requests(operation&);
    bool take(request_desk&, operation&);
    void call_waiting(request_desk&);
    void note_sensing(const actor&);
    void note_work(const actor&, std::int64_t event);
    bool begin_recv(operation&, const recv_request&);
    bool begin_compute(operation&, const compute_request&);
    bool begin_average(operation&, const average_request&);
    void computed(operation&);
    void deliver(std::uint64_t message);
    void contributed(std::uint32_t edge, int party, std::int64_t cause);
    void close_if_settled(std::uint32_t edge);
    void reach_deadline(std::uint32_t edge);
    void close(std::uint32_t edge);
    void grow(std::uint32_t node, std::uint64_t bytes, std::uint64_t passing = 0);
    void shrink(std::uint32_t node, std::uint64_t bytes) { memory_[node].current -= bytes; }
    void hold(actor& reader, message_kind, std::uint64_t bytes);
    void release(actor&);
    void resume(operation&);
    [[noreturn]] void report_stuck() const;

    ledger& ledger_;
    event_queue& queue_;
    std::vector<std::string> names_;
    std::map<std::uint32_t, average_state> averages_;
    std::unordered_map<channel, mailbox, channel_hash> mailboxes_;
    std::deque<in_flight> messages_;
    std::vector<memory_account> memory_;
    std::vector<std::pair<std::uint32_t, task<>>> roles_;
    trampoline trampoline_;
    bool charge_gradients_ = true;
    double sensing_since_s_ = never;
    bool cut_ = false; ///< A round was closed before all had finished.
    std::map<int, std::vector<double>> batch_starts_;
    std::map<std::uint32_t, double> lost_clients_;
    std::map<int, request_desk> desks_; ///< Indexed by cluster.
    std::map<std::uint32_t, double> delivered_s_;
    std::function<bool(const channel&)> recorded_;
    std::vector<sent_message>* log_ = nullptr;
    std::map<channel, std::vector<double>>* arrivals_ = nullptr;
};

} // namespace gaisnet
