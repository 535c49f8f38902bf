#include "emulation/radio_medium.hpp"

#include <algorithm>
#include <utility>

namespace gaisnet {

/// Brings shares of the band up to now, and positions, if they have changed since.
void radio_medium::begin_change() {
    const double now = queue_.now();
    if (slots_.empty()) {
        share_ = 0.0;
        changes_at_ = never;
    } else {
        share_ += (now - shared_at_) / static_cast<double>(slots_.size());
    }
    shared_at_ = now;
    if (now >= changes_at_) {
        move_all();
    }
}

/// Accounts for what a flow has sent since it was settled last, at the rate that it had.
void radio_medium::settle(flow& one) {
    const double passed = queue_.now() - one.settled_at;
    if (one.rate > 0.0) {
        one.left = std::max(0.0, one.left - one.rate * passed);
        one.used.on_air_s += passed;
        one.used.spectrum_s += one_band_ ? share_ - one.share_then : passed;
    }
    one.settled_at = queue_.now();
    one.share_then = share_;
}

/// A flow gets a new rate at the end of this change.
void radio_medium::notice(slot which) {
    auto& one = flows_[which];
    settle(one);
    if (!std::exchange(one.noticed, true)) {
        noticed_.push_back(which);
    }
}

/// A node begins to send: it is heard by the receivers of others.
void radio_medium::put_on_air(transmitter& its, std::uint32_t node) {
    const double now = queue_.now();
    its.where = model_.place_of(node, now);
    nodes_.add(node, its.where);
    receivers_.near(its.where, [&](slot other) {
        auto& one = flows_[other];
        if (one.who->node() == node) {
            return;
        }
        if (const double watts = model_.interference_w(*one.who, node, now); watts > 0.0) {
            notice(other);
            one.interference.add(watts);
        }
    });
}

void radio_medium::hear_others(flow& one) {
    nodes_.near(one.receiver, [&](std::uint32_t node) {
        if (node != one.who->node()) {
            one.interference.add(model_.interference_w(*one.who, node, queue_.now()));
        }
    });
}

void radio_medium::add(sender& who, double bits) {
    const double now = queue_.now();
    changes_at_ = std::min(changes_at_, model_.next_change(who, now));
    auto& its = sending_[who.node()];
    if (its.flows.empty()) {
        put_on_air(its, who.node());
    }
    for (const auto other : its.flows) { // they get a smaller part of the power
        notice(other);
    }
    if (free_.empty()) {
        free_.push_back(static_cast<slot>(flows_.size()));
        flows_.emplace_back();
        due_.resize(flows_.size());
    }
    const auto mine = free_.back();
    free_.pop_back();
    slots_[who.index()] = mine;
    its.flows.push_back(mine);
    flow fresh;
    fresh.who = &who;
    fresh.from = &its;
    fresh.left = bits;
    fresh.receiver = model_.place_of_receiver(who, now);
    fresh.settled_at = now;
    fresh.share_then = share_;
    fresh.noticed = true;
    hear_others(fresh);
    receivers_.add(mine, fresh.receiver);
    flows_[mine] = fresh;
    noticed_.push_back(mine);
}

radio_medium::flow radio_medium::remove(slot which) {
    settle(flows_[which]);
    const auto gone = std::exchange(flows_[which], {});
    const auto node = gone.who->node();
    slots_.erase(gone.who->index());
    free_.push_back(which);
    due_.set(which, never);
    receivers_.remove(which, gone.receiver);
    auto& its = *gone.from;
    std::erase(its.flows, which);
    for (const auto other : its.flows) {
        notice(other);
    }
    if (!its.flows.empty()) {
        return gone;
    }
    nodes_.remove(node, its.where);
    receivers_.near(its.where, [&](slot other) {
        auto& one = flows_[other];
        if (const double watts = model_.interference_w(*one.who, node, queue_.now()); watts > 0.0) {
            notice(other);
            one.interference.remove(watts);
        }
    });
    sending_.erase(node);
    return gone;
}

/// Takes up new positions, and what follows from them.
void radio_medium::move_all() {
    const double now = queue_.now();
    changes_at_ = never;
    nodes_.clear();
    receivers_.clear();
    for (auto& [node, its] : sending_) {
        its.where = model_.place_of(node, now);
        nodes_.add(node, its.where);
    }
    for (slot which = 0; which < flows_.size(); ++which) {
        auto& one = flows_[which];
        if (one.who == nullptr) {
            continue;
        }
        changes_at_ = std::min(changes_at_, model_.next_change(*one.who, now));
        one.receiver = model_.place_of_receiver(*one.who, now);
        receivers_.add(which, one.receiver);
        one.interference = {};
        hear_others(one);
        notice(which);
    }
}

/// Gives rates to the flows that noticed a change.
void radio_medium::find_rates() {
    const double now = queue_.now();
    for (const auto which : noticed_) {
        auto& one = flows_[which];
        if (one.who == nullptr) { // gone by the same change
            continue;
        }
        one.noticed = false;
        const auto divided = static_cast<double>(one.from->flows.size());
        one.rate = model_.rate(*one.who, 1.0 / divided, one.interference.watts(), now);
        due_.set(which, one.rate > 0.0 ? now + one.left / one.rate : never);
    }
    noticed_.clear();
    schedule_next();
}

void radio_medium::schedule_next() {
    const double next = slots_.empty() ? never : std::min(due_.least(), changes_at_);
    if (next == next_at_) {
        return;
    }
    queue_.cancel(std::exchange(next_, event_queue::no_ticket));
    next_at_ = next;
    if (next < never) {
        // Ties are broken by a node that sends. All flows may be stalled; then the first place has one, or had one.
        const auto* first = flows_[due_.place_of_least()].who;
        next_ = queue_.schedule(next, first != nullptr ? first->node() : 0,
                                {[](void* self, std::uint64_t) { static_cast<radio_medium*>(self)->step(); }, this, 0});
    }
}

void radio_medium::start(sender& who, double bits) {
    begin_change();
    add(who, bits);
    find_rates();
}

airtime_report radio_medium::stop(sender& who) {
    begin_change();
    auto gone = remove(slots_.at(who.index()));
    gone.used.bits_left = gone.left;
    find_rates();
    return gone.used;
}

/// Ends transfers that are complete and updates positions; then the remaining transfers get new rates.
void radio_medium::step() {
    next_ = event_queue::no_ticket;
    next_at_ = never;
    begin_change();
    const double now = queue_.now();
    const double rounding = std::max(1e-12, 1e-15 * now); // s; below the resolution of the clock
    std::vector<flow> gone;
    while (due_.least() <= now + rounding) {
        gone.push_back(remove(static_cast<slot>(due_.place_of_least())));
    }
    std::sort(gone.begin(), gone.end(), [](const flow& a, const flow& b) { return a.who->index() < b.who->index(); });
    find_rates();
    for (auto& one : gone) {
        one.who->sent(one.used);
    }
}

} // namespace gaisnet
