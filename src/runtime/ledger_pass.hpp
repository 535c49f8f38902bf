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
#include <vector>

namespace gaisnet {

/// What an edge's average waits for.
struct average_expectation {
    std::map<int, std::size_t> contributions; ///< By party: cluster that plays, or edge.
    std::int64_t elements = 0;                ///< Of the domain model.
    std::size_t clusters_wanted = 0; ///< It closes when as many have ended; more than there are: when all have.
    double deadline_s = never;       ///< It closes at this time at the latest.
};

/// How an edge's round was closed.
struct round_closing {
    double closed_s = 0; ///< When.
    std::set<int> done;  ///< Parties whose contributions all came in time.
    std::set<int> lost;  ///< Clusters that gave up.
};

/// A message that was sent in a round: its shape, and when it started on its link.
struct sent_message {
    channel route;
    tensor_view shape;
    int cluster = -1;        ///< -1: from an edge's own work.
    std::int64_t event = -1; ///< The transfer that the ledger charged for it; -1: none, it started at once.
    double sent_at = 0;
};

/// Peak memory of one node in a round, computed from shapes.
struct memory_account {
    std::uint64_t current = 0; ///< Intermediate results and smashed data now, bytes.
    std::uint64_t peak = 0;
};

/// Runs roles with shapes in place of tensors and lets the ledger decide about time: always the strand with the
/// smallest (virtual time, node, sequence) goes on. One object a round; single-threaded and deterministic.
class ledger_pass final : public pass {
public:
    /// \param averages of one edge, when it may close before all have ended: that ends everything else.
    ledger_pass(ledger& accounts, std::vector<std::string> names,
                std::map<std::uint32_t, average_expectation> averages);

    /// Writes down messages between nodes for which `wanted` holds, in the order of sending.
    void record(std::function<bool(const channel&)> wanted, std::vector<sent_message>& log);
    /// Writes down when the messages of each channel arrive.
    void record_arrivals(std::map<channel, std::vector<double>>& times) { arrivals_ = &times; }
    /// Gradients of smashed data cost no time, bytes and energy: they are taken to be small.
    void leave_gradients_uncharged() { charge_gradients_ = false; }
    /// Start points sense since a time before the pass begins.
    void sense_since(double time) { sensing_since_s_ = time; }
    /// Start points serve requests: by cluster.
    void serve(std::map<int, request_line> lines);
    /// What became of the requests of a cluster.
    const served_requests& served(int cluster) const { return desks_.at(cluster).log; }
    double arrival_s(int cluster, std::size_t request) const {
        return ledger_.round_start_s() + desks_.at(cluster).line.arrivals_s.at(request);
    }
    /// When a node got modules; the start of the round when it got none.
    double delivered_s(std::uint32_t node) const;
    /// Adds a node's role; it starts at the ledger's current time.
    void spawn(std::uint32_t node, task<> role) override { spawn(node, std::move(role), queue_.now()); }
    void spawn(std::uint32_t node, task<> role, double start_s);
    /// Runs everything to its end. \throws runtime_failure that names every node that cannot go on and what it waits
    /// for; rethrows what a role threw.
    void run();

    const memory_account& memory(std::uint32_t node) const { return memory_[node]; }
    const round_closing& closing(std::uint32_t edge) const { return averages_.at(edge).closing; }
    /// When the start point of a cluster began with each batch.
    const std::vector<double>& batch_starts(int cluster) { return batch_starts_[cluster]; }
    /// Clients that were lost, and when.
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
    void answer(actor&) override;
    bool begin(operation&) override;

private:
    struct arrival {
        tensor_view tensor;
        std::int64_t cause = -1;
    };
    struct mailbox {
        std::deque<arrival> messages;
        operation* waiting = nullptr;
    };
    struct in_flight {
        channel route;
        tensor_view tensor;
        std::int64_t event = -1;
        std::uint64_t bytes = 0;
        int party = -1; ///< Of a contribution.
    };
    struct average_state {
        average_expectation expected;
        std::map<int, std::size_t> arrived; ///< Contributions by party.
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
        std::size_t answered = 0; ///< Batches
        operation* waiting = nullptr;
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
    std::map<channel, mailbox> mailboxes_;
    std::deque<in_flight> messages_;
    std::vector<memory_account> memory_;
    std::vector<std::pair<std::uint32_t, task<>>> roles_;
    trampoline trampoline_;
    bool charge_gradients_ = true;
    double sensing_since_s_ = never;
    bool cut_ = false; ///< A round was closed before all had ended.
    std::map<int, std::vector<double>> batch_starts_;
    std::map<std::uint32_t, double> lost_clients_;
    std::map<int, request_desk> desks_; ///< By cluster
    std::map<std::uint32_t, double> delivered_s_;
    std::function<bool(const channel&)> recorded_;
    std::vector<sent_message>* log_ = nullptr;
    std::map<channel, std::vector<double>>* arrivals_ = nullptr;
};

const char* name_of(message_kind);

} // namespace gaisnet
