#pragma once

#include "base/indexed.hpp"
#include "emulation/device.hpp"
#include "emulation/energy.hpp"
#include "emulation/event.hpp"
#include "emulation/event_queue.hpp"
#include "emulation/half_duplex.hpp"
#include "emulation/latency.hpp"
#include "emulation/link.hpp"
#include "emulation/medium.hpp"
#include "emulation/radio_timeline.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// An event with its cause: the event whose end allowed it to start, -1 at the start of a round.
struct ledger_event : event_row {
    std::int64_t cause = -1;
    bool began = false;   ///< Transfers only: it got its link.
    bool wired = false;   ///< Transfers only: no radio was involved.
    bool dropped = false; ///< It never began, because its round was closed first.
};

/// What one node did and what that cost, since the last close_round().
struct node_account : energy_parts {
    double busy_s = 0, flops = 0;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
};

/// The only place where time, energy and spectrum are charged. Devices and links are queues, served in the order of
/// (time, sequence). Whatever occupies one of them becomes an event.
class ledger final : private link_observer {
public:
    /// \param seed for losses and jitter.
    explicit ledger(event_queue& queue, std::uint64_t seed = 0): queue_(queue), seed_(seed), exclusive_(queue) {}

    event_queue& queue() { return queue_; }
    void add_node(const device_model&);
    /// The medium for links that share nothing.
    medium& exclusive() { return exclusive_; }
    /// Adds a medium that links can share.
    medium& add_medium(std::unique_ptr<medium>);
    /// Adds radios that cannot send while they receive, one per node.
    half_duplex_radios& add_half_duplex_radios();
    /// \returns the link's index, which also identifies it to its medium. \param radios null: full duplex.
    std::uint32_t add_link(link_parameters, std::unique_ptr<rate_model>, medium&, half_duplex_radios* radios = nullptr);
    std::uint32_t add_link(link_parameters parameters, double rate_bit_s) {
        return add_link(std::move(parameters), std::make_unique<constant_rate>(rate_bit_s), exclusive_);
    }
    std::size_t nodes() const { return nodes_.size(); }
    const device_model& device(std::uint32_t node) const { return nodes_[node].device; }

    /// Starts a round. No transfer may be under way.
    void begin_round(std::uint32_t round, double start_s);
    /// Changes a link's rate between rounds.
    void set_rate(std::uint32_t link, std::unique_ptr<rate_model> rate) { links_[link]->set_rate(std::move(rate)); }

    /// Occupies the node's device as soon as it is free; `done` runs at the end. \returns the event. \param rate_flop_s
    /// 0: the speed of the device.
    std::int64_t compute(std::uint32_t node, event_kind, double flops, double rate_flop_s, std::int64_t cause,
                         event_queue::action done);
    /// Senses samples, with the device's time and energy per sample. \param begun_s time for which it has been sensing
    /// already.
    std::int64_t sense(std::uint32_t node, std::int64_t samples, double begun_s, std::int64_t cause,
                       event_queue::action done);
    /// Sends bytes to one node or, as a multicast, to several. `sent` runs when the link is free again, `arrived` when
    /// the bytes are at a receiver: at receiver i with its argument + i. \throws std::logic_error when there is no
    /// link.
    std::int64_t transfer(std::uint32_t from, std::span<const std::uint32_t> to, event_kind, std::uint64_t bytes,
                          std::int64_t cause, event_queue::action sent, event_queue::action arrived);

    /// Records that a node has waited from `start_s` to now.
    std::int64_t wait(std::uint32_t node, double start_s, std::int64_t cause);

    /// Stops everything now: work under way is charged up to now, waiting work is dropped, and scheduled events are
    /// cancelled.
    void cut();
    /// From `time` on the node draws no power, until the next round.
    void switch_off(std::uint32_t node, double time) { nodes_[node].off_at = time; }

    /// Closes the round for `members`, each of which may be closed once: charges what radios, base power and sleep took
    /// from `start_s` to `end_s`. Events and accounts contain the energy of transfers only after this call.
    void close_round(std::span<const std::uint32_t> members, double start_s, double end_s);
    /// The time at which a node has drawn `joules` since `start_s`; `never` if that is not before `end_s`. Valid only
    /// after close_round().
    double empty_at(std::uint32_t node, double joules, double start_s, double end_s) const;

    /// Names of the links that are sending, for messages: at most `most`, and the number of the others.
    std::string sending_links(std::size_t most = 3) const;
    const indexed<ledger_event>& events() const { return events_; }
    const node_account& account(std::uint32_t node) const { return nodes_[node].account; }
    double round_start_s() const { return round_start_s_; }

private:
    /// A queue that serves in the order of (time, sequence).
    struct server {
        double free_at = 0;
        std::int64_t last_event = -1; ///< In this round.
    };
    struct node_state {
        device_model device;
        server computer, sensor;      ///< Separate, because a device can sense while it computes.
        std::vector<radio_use> radio; ///< In this round.
        double active_until = 0;      ///< When the device and its radio finish their work.
        double off_at = never;
        node_account account;
    };
    struct transfer_state {
        std::uint32_t link = 0;
        double ready = 0;
        std::int64_t event = -1;
        event_queue::action sent, arrived;
    };

    void charge_transfer(std::int64_t event, const link&, const airtime_report&, std::uint64_t bytes);
    struct waking {
        double awake_until, off_at;
    };
    waking waking_of(const node_state&, double start_s, double end_s) const;
    std::int64_t occupy(std::uint32_t node, event_kind, double seconds, double flops, double joules, std::int64_t cause,
                        event_queue::action done);
    std::uint32_t link_to(std::uint32_t from, std::span<const std::uint32_t> to);
    void transfer_started(std::uint64_t transfer, double start, std::optional<std::uint64_t> after) override;
    void transfer_ended(std::uint64_t transfer, const airtime_report&, std::span<const double> arrivals,
                        std::uint64_t resent) override;

    event_queue& queue_;
    std::uint64_t seed_;
    exclusive_medium exclusive_;
    std::vector<std::unique_ptr<medium>> media_;
    std::vector<std::unique_ptr<half_duplex_radios>> radios_;
    std::vector<node_state> nodes_;
    std::vector<std::unique_ptr<link>> links_;
    std::unordered_map<std::uint64_t, std::uint32_t> link_of_pair_;
    std::map<std::vector<std::uint32_t>, std::uint32_t> multicasts_; ///< Indexed by sender and receivers.
    indexed<ledger_event> events_;
    indexed<transfer_state> transfers_; ///< Of this round; the index is the transfer number that the link uses.
    std::uint32_t round_ = 0;
    double round_start_s_ = 0;
};

/// The events on the critical path, from `last` back to the start of the round, each with its share of the time.
struct critical_part {
    std::int64_t event = -1;
    double seconds = 0;
};
std::vector<critical_part> critical_parts(const indexed<ledger_event>&, std::int64_t last);

/// Time on the critical path from `last` back to the start of the round, by category. The categories add up to the
/// whole time. Computations of the edge, also as a stage of a chain, count as its own category.
latency_parts trace_back(const indexed<ledger_event>&, std::int64_t last, std::uint32_t edge);

} // namespace gaisnet
