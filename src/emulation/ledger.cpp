#include "emulation/ledger.hpp"

#include <algorithm>
#include <cmath>
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

medium& ledger::add_medium(std::unique_ptr<medium> one) { return *media_.emplace_back(std::move(one)); }

half_duplex_radios& ledger::add_half_duplex_radios() {
    return *radios_.emplace_back(std::make_unique<half_duplex_radios>());
}

std::uint32_t ledger::add_link(link_parameters parameters, std::unique_ptr<rate_model> rate, medium& shared,
                               half_duplex_radios* radios) {
    const auto index = static_cast<std::uint32_t>(links_.size());
    link_of_pair_[pair_key(parameters.from, parameters.to)] = index;
    links_.push_back(std::make_unique<link>(queue_, static_cast<link_observer&>(*this), seed_, index, shared, radios,
                                            std::move(parameters), std::move(rate)));
    return index;
}

void ledger::begin_round(std::uint32_t round, double start_s) {
    events_.clear();
    transfers_.clear();
    round_ = round;
    round_start_s_ = start_s;
    queue_.reset_clock(start_s);
    for (auto& node : nodes_) {
        node.account = {};
        node.radio.clear();
        node.computer.last_event = node.sensor.last_event = -1;
        node.active_until = start_s;
        node.off_at = never;
    }
    for (auto& one : links_) {
        one->begin_round(round);
    }
}

std::int64_t ledger::occupy(std::uint32_t node, event_kind kind, double seconds, double flops, double joules,
                            std::int64_t cause, event_queue::action done) {
    auto& state = nodes_[node];
    auto& busy = kind == event_kind::sense ? state.sensor : state.computer;
    const double now = queue_.now();
    ledger_event event;
    event.node = event.peer = node;
    event.kind = kind;
    event.round = round_;
    event.cause = cause;
    event.start_s = now;
    if (busy.last_event >= 0 && busy.free_at > now) {
        event.start_s = busy.free_at;
        event.cause = busy.last_event;
    }
    event.end_s = event.arrival_s = event.start_s + seconds;
    event.flops = flops;
    event.energy_j = joules;
    busy.free_at = event.end_s;
    busy.last_event = static_cast<std::int64_t>(events_.size());
    state.active_until = std::max(state.active_until, event.end_s);
    state.account.busy_s += seconds;
    state.account.flops += flops;
    (kind == event_kind::sense ? state.account.sense_j : state.account.compute_j) += joules;
    events_.push_back(event);
    queue_.schedule(event.end_s, node, done);
    return busy.last_event;
}

std::int64_t ledger::compute(std::uint32_t node, event_kind kind, double flops, double rate_flop_s, std::int64_t cause,
                             event_queue::action done) {
    const auto& device = nodes_[node].device;
    const double seconds = flops / (rate_flop_s > 0.0 ? rate_flop_s : device.rate_flop_s);
    return occupy(node, kind, seconds, flops, seconds * device.power_w, cause, done);
}

std::int64_t ledger::sense(std::uint32_t node, std::int64_t samples, double begun_s, std::int64_t cause,
                           event_queue::action done) {
    const auto& device = nodes_[node].device;
    const auto count = static_cast<double>(samples);
    return occupy(node, event_kind::sense, std::max(0.0, count * device.sense_time_s - begun_s), 0.0,
                  count * device.sense_energy_j, cause, done);
}

/// The link to one node, or the multicast to several; a multicast is created at its first use.
std::uint32_t ledger::link_to(std::uint32_t from, std::span<const std::uint32_t> to) {
    const auto unicast = [&](std::uint32_t receiver) {
        const auto found = link_of_pair_.find(pair_key(from, receiver));
        if (found == link_of_pair_.end()) {
            throw std::logic_error("no link from node " + std::to_string(from) + " to node " +
                                   std::to_string(receiver));
        }
        return found->second;
    };
    if (to.size() == 1) {
        return unicast(to.front());
    }
    std::vector<std::uint32_t> key{from};
    key.insert(key.end(), to.begin(), to.end());
    const auto [known, fresh] = multicasts_.try_emplace(std::move(key), static_cast<std::uint32_t>(links_.size()));
    if (fresh) {
        std::vector<link*> parts;
        for (const auto receiver : to) {
            parts.push_back(links_[unicast(receiver)].get());
        }
        links_.push_back(std::make_unique<link>(known->second, parts));
    }
    return known->second;
}

std::int64_t ledger::transfer(std::uint32_t from, std::span<const std::uint32_t> to, event_kind kind,
                              std::uint64_t bytes, std::int64_t cause, event_queue::action sent,
                              event_queue::action arrived) {
    const auto which = link_to(from, to);
    ledger_event event;
    event.node = from;
    event.peer = to.front();
    event.receivers = static_cast<std::uint32_t>(to.size());
    event.kind = kind;
    event.link = links_[which]->parameters().kind;
    event.loss = links_[which]->parameters().loss;
    event.round = round_;
    event.cause = cause;
    event.bytes = bytes;
    const auto index = static_cast<std::int64_t>(events_.size());
    events_.push_back(event);
    const auto number = transfers_.size();
    transfers_.push_back({which, queue_.now(), index, sent, arrived});
    links_[which]->submit(number, bytes);
    return index;
}

void ledger::transfer_started(std::uint64_t transfer, double start, std::optional<std::uint64_t> after) {
    const auto& state = transfers_[transfer];
    auto& event = events_[state.event];
    event.start_s = start;
    event.began = true;
    if (after && start > state.ready) {
        event.cause = transfers_[*after].event;
    }
}

void ledger::transfer_ended(std::uint64_t transfer, const airtime_report& used, std::span<const double> arrivals,
                            std::uint64_t resent) {
    const auto state = transfers_[transfer]; // a copy, because the callbacks below may send
    const auto& on = *links_[state.link];
    auto& event = events_[state.event];
    event.arrival_s = *std::max_element(arrivals.begin(), arrivals.end());
    event.resent = resent;
    charge_transfer(state.event, on, used, event.bytes);
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        auto& receiver = nodes_[on.receivers()[i]];
        receiver.active_until = std::max(receiver.active_until, arrivals[i]);
        auto at_receiver = state.arrived;
        at_receiver.argument += i;
        queue_.schedule(arrivals[i], on.receivers()[i], at_receiver);
    }
    if (state.sent.run) {
        state.sent.run(state.sent.self, state.sent.argument);
    }
}

/// Records a transfer that stops occupying its link now, after `bytes` of its bytes. The energy of its radios is known
/// only when the round is closed.
void ledger::charge_transfer(std::int64_t index, const link& on, const airtime_report& used, std::uint64_t bytes) {
    auto& event = events_[index];
    const auto& parameters = on.parameters();
    event.bytes = bytes;
    event.end_s = queue_.now();
    event.airtime_hz_s = used.spectrum_s * parameters.bandwidth_hz;
    constexpr double bits_a_byte = 8.0;
    if (const double occupied = event.end_s - event.start_s; occupied > 0.0) {
        event.rate_bit_s = static_cast<double>(bytes) * bits_a_byte / occupied;
        event.share = used.spectrum_s / occupied;
    }
    event.on_air_s = used.on_air_s;
    auto& sender = nodes_[event.node];
    sender.account.bytes_sent += bytes;
    sender.active_until = std::max(sender.active_until, event.end_s);
    for (const auto receiver : on.receivers()) {
        nodes_[receiver].account.bytes_received += bytes;
    }
    if (parameters.wired_j_bit) {
        event.wired = true;
        event.energy_j = static_cast<double>(bytes) * bits_a_byte * *parameters.wired_j_bit;
        sender.account.transmit_j += event.energy_j;
        return;
    }
    radio_use use{index,           event.start_s, event.end_s,           used.on_air_s,
                  parameters.kind, true,          parameters.radiated_w, on.sent_in_turns()};
    sender.radio.push_back(use);
    use.sends = false;
    for (const auto receiver : on.receivers()) {
        nodes_[receiver].radio.push_back(use);
    }
}

std::string ledger::sending_links(std::size_t most) const {
    std::string text;
    std::size_t count = 0;
    for (const auto& one : links_) {
        if (one->sending() && ++count <= most) {
            text += (text.empty() ? "" : ", ") + one->parameters().name;
        }
    }
    return count > most ? text + " and " + std::to_string(count - most) + " more" : text;
}

std::int64_t ledger::wait(std::uint32_t node, double start_s, std::int64_t cause) {
    ledger_event event;
    event.node = event.peer = node;
    event.kind = event_kind::wait;
    event.round = round_;
    event.cause = cause;
    event.start_s = start_s;
    event.end_s = event.arrival_s = queue_.now();
    events_.push_back(event);
    return static_cast<std::int64_t>(events_.size()) - 1;
}

void ledger::cut() {
    const double now = queue_.now();
    for (auto& radios : radios_) {
        radios->forget_waiting();
    }
    for (auto& one : links_) {
        if (const auto stopped = one->interrupt()) {
            auto& event = events_[transfers_[stopped->transfer].event];
            const double part = stopped->bits > 0.0 ? 1.0 - stopped->used.bits_left / stopped->bits : 1.0;
            event.cut = true;
            event.arrival_s = now;
            charge_transfer(transfers_[stopped->transfer].event, *one, stopped->used,
                            static_cast<std::uint64_t>(std::floor(part * static_cast<double>(event.bytes))));
        }
    }
    for (auto& event : events_) {
        if (event.receivers > 0) {
            event.dropped = !event.began; // it was still waiting for its link
            continue;
        }
        if (event.end_s <= now) {
            continue;
        }
        auto& account = nodes_[event.node].account;
        const double whole = event.end_s - event.start_s, done = std::max(0.0, now - event.start_s) / whole;
        account.busy_s -= (1.0 - done) * whole;
        account.flops -= (1.0 - done) * event.flops;
        (event.kind == event_kind::sense ? account.sense_j : account.compute_j) -= (1.0 - done) * event.energy_j;
        event.dropped = event.start_s >= now;
        event.cut = !event.dropped;
        event.flops *= done;
        event.energy_j *= done;
        event.end_s = event.arrival_s = now;
    }
    for (auto& node : nodes_) {
        node.computer.free_at = std::min(node.computer.free_at, now);
        node.sensor.free_at = std::min(node.sensor.free_at, now);
        node.active_until = std::min(node.active_until, now);
    }
    queue_.clear();
}

ledger::waking ledger::waking_of(const node_state& node, double start_s, double end_s) const {
    const double off = std::clamp(node.off_at, start_s, end_s);
    return {node.device.sleep_power_w ? std::min(std::max(node.active_until, start_s), off) : off, off};
}

void ledger::close_round(std::span<const std::uint32_t> members, double start_s, double end_s) {
    for (const auto member : members) {
        auto& node = nodes_[member];
        const auto [awake_until, off] = waking_of(node, start_s, end_s);
        radio_timeline radio(node.device.radio);
        radio.run(node.radio, start_s, awake_until,
                  [this](const radio_use& use, double joules) { events_[use.event].energy_j += joules; });
        node.account.transmit_j += radio.transmit_j();
        node.account.receive_j += radio.receive_j();
        node.account.idle_j = radio.idle_j();
        node.account.base_j = (awake_until - start_s) * node.device.base_power_w;
        node.account.sleep_j = (off - awake_until) * node.device.sleep_power_w.value_or(0.0);
    }
}

double ledger::empty_at(std::uint32_t node, double joules, double start_s, double end_s) const {
    const auto& state = nodes_[node];
    const auto [awake_until, off] = waking_of(state, start_s, end_s);
    struct change {
        double time, watts, joules;
    };
    std::vector<change> changes;
    const auto draw = [&](double from, double to, double watts) {
        changes.push_back({from, watts, 0.0});
        changes.push_back({to, -watts, 0.0});
    };
    radio_timeline(state.device.radio)
        .run(
            state.radio, start_s, awake_until, [](const radio_use&, double) {},
            [&](const radio_timeline::interval& one) { draw(one.start_s, one.end_s, one.watts); });
    draw(start_s, awake_until, state.device.base_power_w);
    draw(awake_until, off, state.device.sleep_power_w.value_or(0.0));
    for (const auto& event : events_) {
        if (event.node != node || event.dropped || (event.receivers > 0 && !event.wired)) {
            continue;
        }
        if (event.end_s > event.start_s) {
            draw(event.start_s, event.end_s, event.energy_j / (event.end_s - event.start_s));
        } else {
            changes.push_back({event.end_s, 0.0, event.energy_j});
        }
    }
    std::sort(changes.begin(), changes.end(), [](const change& a, const change& b) { return a.time < b.time; });
    double drawn = 0, watts = 0, now = start_s;
    for (const auto& one : changes) {
        const double until = drawn + watts * (one.time - now);
        if (until > joules) {
            return now + (joules - drawn) / watts;
        }
        drawn = until + one.joules;
        if (drawn > joules) {
            return one.time;
        }
        watts += one.watts;
        now = one.time;
    }
    return never;
}

std::vector<critical_part> critical_parts(const indexed<ledger_event>& events, std::int64_t last) {
    std::vector<critical_part> parts;
    double until = last < 0 ? 0.0 : events[last].arrival_s;
    for (auto index = last; index >= 0; index = events[index].cause) {
        const auto& event = events[index];
        parts.push_back({index, until - event.start_s});
        until = event.start_s;
    }
    return parts;
}

latency_parts trace_back(const indexed<ledger_event>& events, std::int64_t last, std::uint32_t edge) {
    latency_parts path;
    for (const auto& [index, seconds] : critical_parts(events, last)) {
        path.at(latency_part_of(events[index], edge)) += seconds;
    }
    return path;
}

} // namespace gaisnet
