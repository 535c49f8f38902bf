#include "emulation/ledger.hpp"

#include <stdexcept>
#include <string>

namespace gaisnet {

namespace {

std::uint64_t pair_key(std::uint32_t from, std::uint32_t to) { return (std::uint64_t{from} << 32) | to; }

} // namespace

void ledger::add_node(const device_model& device) {
    nodes_.push_back({});
    nodes_.back().device = device;
}

void ledger::add_link(std::uint32_t from, std::uint32_t to, link_class kind, double rate_bit_s, double latency_s,
                      double bandwidth_hz) {
    links_[pair_key(from, to)].queue =
        std::make_unique<link>(queue_, static_cast<link_observer&>(*this), from, to, kind,
                               std::make_unique<constant_rate>(rate_bit_s), latency_s, bandwidth_hz);
}

void ledger::begin_round(std::uint32_t round, double start_s) {
    events_.clear();
    transfers_.clear();
    round_ = round;
    round_start_s_ = start_s;
    queue_.reset_clock(start_s);
    for (auto& node : nodes_) {
        node.account = {};
        node.last_event = -1;
    }
    for (auto& [key, link] : links_) {
        link.last_event = -1;
    }
}

std::int64_t ledger::occupy(std::uint32_t node, event_kind kind, double seconds, double flops, double joules,
                            std::int64_t cause, event_queue::action done) {
    auto& state = nodes_[node];
    const double now = queue_.now();
    ledger_event event;
    event.node = event.peer = node;
    event.kind = kind;
    event.round = round_;
    event.cause = cause;
    event.start_s = now;
    if (state.last_event >= 0 && state.free_at > now) {
        event.start_s = state.free_at;
        event.cause = state.last_event;
    }
    event.end_s = event.arrival_s = event.start_s + seconds;
    event.flops = flops;
    event.energy_j = joules;
    state.free_at = event.end_s;
    state.last_event = static_cast<std::int64_t>(events_.size());
    state.account.busy_s += seconds;
    state.account.flops += flops;
    (kind == event_kind::sense ? state.account.sense_j : state.account.compute_j) += joules;
    events_.push_back(event);
    queue_.schedule(event.end_s, node, done);
    return state.last_event;
}

std::int64_t ledger::compute(std::uint32_t node, event_kind kind, double flops, std::int64_t cause,
                             event_queue::action done) {
    const auto& device = nodes_[node].device;
    const double seconds = flops / device.rate_flop_s;
    return occupy(node, kind, seconds, flops, seconds * device.power_w, cause, done);
}

std::int64_t ledger::sense(std::uint32_t node, std::int64_t samples, std::int64_t cause, event_queue::action done) {
    const auto& device = nodes_[node].device;
    const auto count = static_cast<double>(samples);
    return occupy(node, event_kind::sense, count * device.sense_time_s, 0.0, count * device.sense_energy_j, cause,
                  done);
}

std::int64_t ledger::transfer(std::uint32_t from, std::uint32_t to, event_kind kind, std::uint64_t bytes,
                              std::int64_t cause, event_queue::action sent, event_queue::action arrived) {
    const auto found = links_.find(pair_key(from, to));
    if (found == links_.end()) {
        throw std::logic_error("no link from node " + std::to_string(from) + " to node " + std::to_string(to));
    }
    auto& on = *found->second.queue;
    ledger_event event;
    event.node = from;
    event.peer = to;
    event.kind = kind;
    event.link = on.kind();
    event.round = round_;
    event.cause = cause;
    event.bytes = bytes;
    const auto index = static_cast<std::int64_t>(events_.size());
    events_.push_back(event);
    const auto number = transfers_.size();
    transfers_.push_back({&on, queue_.now(), index, sent, arrived});
    constexpr double bits_a_byte = 8.0;
    on.submit(number, static_cast<double>(bytes) * bits_a_byte);
    return index;
}

void ledger::transfer_started(std::uint64_t transfer, double start) {
    const auto& state = transfers_[transfer];
    auto& event = events_[static_cast<std::size_t>(state.event)];
    auto& on = links_[pair_key(event.node, event.peer)];
    event.start_s = start;
    if (on.last_event >= 0 && start > state.ready) {
        event.cause = on.last_event;
    }
    on.last_event = state.event;
}

void ledger::transfer_ended(std::uint64_t transfer, double end) {
    const auto& state = transfers_[transfer];
    auto& event = events_[static_cast<std::size_t>(state.event)];
    const double occupied = end - event.start_s;
    const double sending_j = occupied * nodes_[event.node].device.tx_power_w;
    const double receiving_j = occupied * nodes_[event.peer].device.rx_power_w;
    event.end_s = end;
    event.arrival_s = end + state.on->latency_s();
    event.energy_j = sending_j + receiving_j;
    event.airtime_hz_s = occupied * state.on->bandwidth_hz();
    auto& sender = nodes_[event.node].account;
    auto& receiver = nodes_[event.peer].account;
    sender.transmit_j += sending_j;
    sender.bytes_sent += event.bytes;
    receiver.receive_j += receiving_j;
    receiver.bytes_received += event.bytes;
    queue_.schedule(event.arrival_s, event.peer, state.arrived);
    if (state.sent.run) {
        state.sent.run(state.sent.self, state.sent.argument);
    }
}

void ledger::close_round(std::span<const std::uint32_t> members, double end_s) {
    for (const auto member : members) {
        nodes_[member].account.idle_j = (end_s - round_start_s_) * nodes_[member].device.idle_power_w;
    }
}

critical_path trace_back(const std::vector<ledger_event>& events, std::int64_t last, std::uint32_t edge) {
    critical_path path;
    if (last < 0) {
        return path;
    }
    double until = events[static_cast<std::size_t>(last)].arrival_s;
    for (auto index = last; index >= 0; index = events[static_cast<std::size_t>(index)].cause) {
        const auto& event = events[static_cast<std::size_t>(index)];
        const double part = until - event.start_s;
        until = event.start_s;
        switch (event.kind) {
        case event_kind::sense: path.sensing_s += part; break;
        case event_kind::forward:
        case event_kind::backward:
        case event_kind::step: (event.node == edge ? path.edge_s : path.compute_s) += part; break;
        case event_kind::aggregate:
        case event_kind::evaluate: path.edge_s += part; break;
        case event_kind::send_modules_down: path.delivery_s += part; break;
        case event_kind::send_modules_up: path.upload_s += part; break;
        case event_kind::send_forward:
        case event_kind::send_gradient:
        case event_kind::send_label:
        case event_kind::send_result: (event.link == link_class::d2d ? path.d2d_s : path.cs_smashed_s) += part; break;
        }
    }
    return path;
}

} // namespace gaisnet
