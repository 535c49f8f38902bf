#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"
#include "emulation/event_queue.hpp"
#include "emulation/link.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// An event and what it waited for: the event whose end let it start, -1 at the start of a round.
struct ledger_event : event_row {
    std::int64_t cause = -1;
};

/// What one node did and what it cost, since the last close.
struct node_account {
    double busy_s = 0, flops = 0;
    double sense_j = 0, compute_j = 0, transmit_j = 0, receive_j = 0, idle_j = 0;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
};

/// The only place where time, energy and spectrum are charged. Devices and links are queues that serve in the order of
/// (time, sequence); everything that occupies one of them becomes an event.
class ledger final : private link_observer {
public:
    explicit ledger(event_queue& queue): queue_(queue) {}

    event_queue& queue() { return queue_; }
    void add_node(const device_model&);
    void add_link(std::uint32_t from, std::uint32_t to, link_class, double rate_bit_s, double latency_s,
                  double bandwidth_hz);
    std::size_t nodes() const { return nodes_.size(); }
    const device_model& device(std::uint32_t node) const { return nodes_[node].device; }

    void begin_round(std::uint32_t round, double start_s);

    /// Occupies the node's device from when it is free; `done` runs at the end. \returns the event.
    std::int64_t compute(std::uint32_t node, event_kind, double flops, std::int64_t cause, event_queue::action done);
    /// Sensing of samples: time and energy by the device's figures a sample.
    std::int64_t sense(std::uint32_t node, std::int64_t samples, std::int64_t cause, event_queue::action done);
    /// Sends bytes; `sent` runs when the link has been occupied long enough, `arrived` a latency later.
    /// \throws std::logic_error when there is no link from one to the other.
    std::int64_t transfer(std::uint32_t from, std::uint32_t to, event_kind, std::uint64_t bytes, std::int64_t cause,
                          event_queue::action sent, event_queue::action arrived);

    /// Closes the round for `members`: idle energy up to `end_s`.
    void close_round(std::span<const std::uint32_t> members, double end_s);

    const std::vector<ledger_event>& events() const { return events_; }
    const node_account& account(std::uint32_t node) const { return nodes_[node].account; }
    double round_start_s() const { return round_start_s_; }

private:
    struct node_state {
        device_model device;
        double free_at = 0;
        std::int64_t last_event = -1;
        node_account account;
    };
    struct transfer_state {
        link* on = nullptr;
        double ready = 0;
        std::int64_t event = -1;
        event_queue::action sent, arrived;
    };
    struct link_state {
        std::unique_ptr<link> queue;
        std::int64_t last_event = -1;
    };

    std::int64_t occupy(std::uint32_t node, event_kind, double seconds, double flops, double joules, std::int64_t cause,
                        event_queue::action done);
    void transfer_started(std::uint64_t transfer, double start) override;
    void transfer_ended(std::uint64_t transfer, double end) override;

    event_queue& queue_;
    std::vector<node_state> nodes_;
    std::unordered_map<std::uint64_t, link_state> links_; ///< Key: from and to.
    std::vector<ledger_event> events_;
    std::vector<transfer_state> transfers_; ///< Of the round; index = the link's transfer number.
    std::uint32_t round_ = 0;
    double round_start_s_ = 0;
};

/// Durations along the critical path from `last` back to the start of the round, by part; they add up to the time
/// between. What the edge computes, also as a stage of a chain, is its part.
struct critical_path {
    double delivery_s = 0, sensing_s = 0, compute_s = 0, d2d_s = 0, cs_smashed_s = 0, upload_s = 0, edge_s = 0;
};
critical_path trace_back(const std::vector<ledger_event>&, std::int64_t last, std::uint32_t edge);

} // namespace gaisnet
