#include "emulation/medium.hpp"

#include <algorithm>
#include <vector>

namespace gaisnet {

// ---- exclusive

void exclusive_medium::start(sender& who, double bits) {
    const double now = queue_.now(), end = who.rate().finish_time(now, bits);
    auto due = event_queue::no_ticket;
    if (end < never) { // otherwise it never ends, and the end of the round will report it
        due = queue_.schedule(end, who.node(),
                              {[](void* self, std::uint64_t index) {
                                   static_cast<exclusive_medium*>(self)->ended(static_cast<std::uint32_t>(index));
                               },
                               this, who.index()});
    }
    if (flows_.size() <= who.index()) {
        flows_.resize(who.index() + 1);
    }
    flows_[who.index()] = {&who, now, end, due};
}

void exclusive_medium::ended(std::uint32_t index) {
    const auto done = flows_.at(index);
    const double seconds = done.who->rate().time_on(done.begin, done.end);
    done.who->sent({seconds, seconds, 0.0});
}

airtime_report exclusive_medium::stop(sender& who) {
    const auto stopped = flows_.at(who.index());
    queue_.cancel(stopped.due);
    const double seconds = who.rate().time_on(stopped.begin, queue_.now());
    return {seconds, seconds, who.rate().bits_between(queue_.now(), stopped.end)};
}

// ---- equal, maxmin, airtime

/// Brings the integral of the level up to now. Between two events of a medium the level does not change.
void shared_medium::advance() {
    work_ += level_ * (queue_.now() - updated_at_);
    updated_at_ = queue_.now();
    if (ending_.empty()) {
        work_ = 0; // no flow refers to the integral: reset it, so that differences stay exact
    }
}

void shared_medium::put_in(flow& one, bool capped) {
    one.capped = capped;
    one.finish = capped ? queue_.now() + one.left / one.rate : work_ + one.left / weight(one);
    (capped ? ending_capped_ : ending_).insert({one.finish, one.who->index()});
    if (share_ == share_kind::maxmin) {
        (capped ? caps_reached_ : caps_).insert({one.rate, one.who->index()});
        capped_sum_ += capped ? one.rate : 0.0;
    }
}

/// On a max-min fair medium a link uses a share of the band: its rate / the capacity.
double shared_medium::spectrum_s(double bits, double rate) const {
    return bits / (share_ == share_kind::maxmin && capacity_ < never ? capacity_ : rate);
}

void shared_medium::take_out(flow& one) {
    const std::pair<double, std::uint32_t> place{one.finish, one.who->index()}, cap{one.rate, one.who->index()};
    const double left = one.capped ? (one.finish - queue_.now()) * one.rate : (one.finish - work_) * weight(one);
    const double before = one.left;
    one.left = std::clamp(left, 0.0, before);
    one.on_air_s += (before - one.left) / one.rate;
    one.spectrum_s += spectrum_s(before - one.left, one.rate);
    (one.capped ? ending_capped_ : ending_).erase(place);
    if (share_ == share_kind::maxmin) {
        (one.capped ? caps_reached_ : caps_).erase(cap);
        capped_sum_ = caps_reached_.empty() ? 0.0 : capped_sum_ - (one.capped ? one.rate : 0.0);
    }
}

/// Changes a flow to its link's current rate.
void shared_medium::take_up_rate(flow& one) {
    const auto& rates = one.who->rate();
    one.rate = rates.rate_at(queue_.now());
    const double until = rates.next_change(queue_.now());
    one.change =
        until == never
            ? event_queue::no_ticket
            : queue_.schedule(until, one.who->node(),
                              {[](void* self, std::uint64_t index) {
                                   static_cast<shared_medium*>(self)->change_rate(static_cast<std::uint32_t>(index));
                               },
                               this, one.who->index()});
    if (one.rate > 0.0) {
        inverse_sum_ += 1.0 / one.rate;
        put_in(one, false);
    }
}

void shared_medium::start(sender& who, double bits) {
    advance();
    auto& one = flows_[who.index()];
    one.who = &who;
    one.left = bits;
    take_up_rate(one);
    balance();
}

airtime_report shared_medium::remove(flow& one) {
    queue_.cancel(one.change);
    if (one.rate > 0.0) {
        take_out(one);
        inverse_sum_ -= 1.0 / one.rate;
    }
    const airtime_report used{one.on_air_s, one.spectrum_s, one.left};
    flows_.erase(one.who->index());
    if (flows_.empty()) {
        inverse_sum_ = 0.0;
    }
    return used;
}

airtime_report shared_medium::stop(sender& who) {
    advance();
    const auto used = remove(flows_.at(who.index()));
    balance();
    return used;
}

void shared_medium::change_rate(std::uint32_t index) {
    advance();
    auto& one = flows_.at(index);
    if (one.rate > 0.0) {
        take_out(one);
        inverse_sum_ -= 1.0 / one.rate;
    }
    take_up_rate(one);
    balance();
}

/// The max-min fair level: links whose cap is higher send at the level, the others at their caps. Both loops only raise
/// the level, so the second does not undo the first.
void shared_medium::fill() {
    const auto find_level = [&] {
        level_ = caps_.empty() ? never : (capacity_ - capped_sum_) / static_cast<double>(caps_.size());
    };
    const auto move_to = [&](const order& from, bool last, bool capped) {
        auto& one = flows_.at(last ? from.rbegin()->second : from.begin()->second);
        take_out(one);
        put_in(one, capped);
        find_level();
    };
    find_level();
    while (!caps_reached_.empty() &&
           (caps_.empty() ? capped_sum_ > capacity_ : caps_reached_.rbegin()->first > level_)) {
        move_to(caps_reached_, true, false);
    }
    while (!caps_.empty() && caps_.begin()->first <= level_) {
        move_to(caps_, false, true);
    }
}

/// Recomputes the level and schedules the next end.
void shared_medium::balance() {
    const auto sending = static_cast<double>(ending_.size() + ending_capped_.size());
    if (share_ == share_kind::equal) {
        level_ = 1.0 / sending;
    } else if (share_ == share_kind::airtime) {
        level_ = 1.0 / inverse_sum_;
    } else {
        fill();
    }
    if (ending_.empty()) {
        level_ = 0;
    }
    queue_.cancel(next_);
    next_ = event_queue::no_ticket;
    const double now = queue_.now();
    double due = never;
    std::uint32_t who = 0;
    if (!ending_.empty()) {
        due = now + std::max(0.0, (ending_.begin()->first - work_) / level_);
        who = ending_.begin()->second;
    }
    if (!ending_capped_.empty() && ending_capped_.begin()->first < due) {
        due = std::max(now, ending_capped_.begin()->first);
        who = ending_capped_.begin()->second;
    }
    if (due < never) {
        next_ = queue_.schedule(due, flows_.at(who).who->node(),
                                {[](void* self, std::uint64_t index) {
                                     static_cast<shared_medium*>(self)->end_flow(static_cast<std::uint32_t>(index));
                                 },
                                 this, who});
    }
}

void shared_medium::end_flow(std::uint32_t index) {
    next_ = event_queue::no_ticket;
    advance();
    auto& one = flows_.at(index);
    auto* who = one.who;
    const double rate = one.rate;
    auto used = remove(one);
    used.on_air_s += used.bits_left / rate; // the remainder due to rounding
    used.spectrum_s += spectrum_s(used.bits_left, rate);
    used.bits_left = 0.0;
    balance();
    who->sent(used);
}

} // namespace gaisnet
