#pragma once

#include <cstdint>
#include <queue>
#include <unordered_set>

namespace gaisnet {

/// The clock of a discrete-event simulation: the event that is due first runs first. Ties are broken by node, then by
/// the order in which events were scheduled, so a simulation is deterministic.
class event_queue {
public:
    /// The callback of an event: run(self, argument).
    struct action {
        void (*run)(void* self, std::uint64_t argument) = nullptr;
        void* self = nullptr;
        std::uint64_t argument = 0;
    };
    /// Identifies a scheduled event.
    using ticket = std::uint64_t;
    static constexpr ticket no_ticket = 0;

    double now() const { return now_; }
    std::uint64_t fired() const { return fired_; }
    bool empty() {
        drop_cancelled();
        return heap_.empty();
    }

    /// \param time seconds, not before now(). \param node the node that the event concerns; breaks ties.
    ticket schedule(double time, std::uint32_t node, action what) {
        heap_.push({time, node, ++sequence_, what});
        return sequence_;
    }
    /// Cancels an event. no_ticket is ignored; an event that has run must not be cancelled.
    void cancel(ticket event) {
        if (event != no_ticket) {
            cancelled_.insert(event);
        }
    }

    /// Cancels all events.
    void clear() {
        heap_ = {};
        cancelled_.clear();
    }

    /// Advances the clock to the next event and runs it; there must be one.
    void fire_next() {
        drop_cancelled();
        const entry next = heap_.top();
        heap_.pop();
        now_ = next.time;
        ++fired_;
        next.what.run(next.what.self, next.what.argument);
    }
    /// Sets the clock of an empty queue. The time may go back, because edges without a cloud have separate clocks.
    void reset_clock(double time) { now_ = time; }

private:
    struct entry {
        double time;
        std::uint32_t node;
        ticket sequence;
        action what;
        bool operator<(const entry& other) const { // std::priority_queue keeps the largest entry on top
            if (time != other.time) {
                return time > other.time;
            }
            if (node != other.node) {
                return node > other.node;
            }
            return sequence > other.sequence;
        }
    };

    void drop_cancelled() {
        while (!cancelled_.empty() && !heap_.empty() && cancelled_.erase(heap_.top().sequence) > 0) {
            heap_.pop();
        }
    }

    std::priority_queue<entry> heap_;
    std::unordered_set<ticket> cancelled_; ///< Each is still in the heap.
    double now_ = 0.0;
    ticket sequence_ = no_ticket;
    std::uint64_t fired_ = 0;
};

} // namespace gaisnet
