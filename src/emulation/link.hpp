#pragma once

#include "emulation/event.hpp"
#include "emulation/event_queue.hpp"

#include <cstdint>
#include <deque>
#include <memory>

namespace gaisnet {

/// How fast a link is over time. A new link model is one more class like this.
class rate_model {
public:
    virtual ~rate_model() = default;
    /// The time at which `bits` have been sent when sending starts at `start` (s) and nothing else uses the link: the
    /// integral of the rate from `start` to the result equals `bits`.
    virtual double finish_time(double start, double bits) const = 0;
    /// bit/s at a time, for tables.
    virtual double rate_at(double time) const = 0;
};

/// The same rate at all times.
class constant_rate final : public rate_model {
public:
    explicit constant_rate(double bits_per_second): bits_per_second_(bits_per_second) {}
    double finish_time(double start, double bits) const override { return start + bits / bits_per_second_; }
    double rate_at(double) const override { return bits_per_second_; }

private:
    double bits_per_second_;
};

/// Receives what happens on links.
class link_observer {
public:
    virtual ~link_observer() = default;
    virtual void transfer_started(std::uint64_t transfer, double start) = 0;
    /// Occupation of the link ended; the message arrives `latency` later.
    virtual void transfer_ended(std::uint64_t transfer, double end) = 0;
};

/// A directed link between two nodes. Transfers are served in the order in which they became ready: a transfer that is
/// ready at t starts at max(t, link free), occupies the link until its bits are sent, and arrives `latency` later.
/// Every link is private: it shares its rate with no other (`share = private`).
class link {
public:
    link(event_queue& queue, link_observer& observer, std::uint32_t from, std::uint32_t to, link_class kind,
         std::unique_ptr<rate_model> rate, double latency_s, double bandwidth_hz)
        : queue_(queue)
        , observer_(observer)
        , from_(from)
        , to_(to)
        , kind_(kind)
        , rate_(std::move(rate))
        , latency_s_(latency_s)
        , bandwidth_hz_(bandwidth_hz) {}
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    std::uint32_t from() const { return from_; }
    std::uint32_t to() const { return to_; }
    link_class kind() const { return kind_; }
    double latency_s() const { return latency_s_; }
    double bandwidth_hz() const { return bandwidth_hz_; }
    double rate_at(double time) const { return rate_->rate_at(time); }

    /// Queues a transfer that is ready now.
    void submit(std::uint64_t transfer, double bits) {
        waiting_.push_back({transfer, bits});
        if (!busy_) {
            start_next();
        }
    }

private:
    struct pending {
        std::uint64_t transfer;
        double bits;
    };

    void start_next() {
        busy_ = true;
        const auto next = waiting_.front();
        const double start = queue_.now();
        observer_.transfer_started(next.transfer, start);
        queue_.schedule(rate_->finish_time(start, next.bits), from_,
                        {[](void* self, std::uint64_t) { static_cast<link*>(self)->end_current(); }, this, 0});
    }

    void end_current() {
        const auto ended = waiting_.front();
        waiting_.pop_front();
        busy_ = false;
        observer_.transfer_ended(ended.transfer, queue_.now());
        if (!waiting_.empty() && !busy_) {
            start_next();
        }
    }

    event_queue& queue_;
    link_observer& observer_;
    std::uint32_t from_, to_;
    link_class kind_;
    std::unique_ptr<rate_model> rate_;
    double latency_s_, bandwidth_hz_;
    std::deque<pending> waiting_;
    bool busy_ = false;
};

} // namespace gaisnet
