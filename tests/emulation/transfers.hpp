#pragma once

// Transfers at given times over links of a ledger.

#include "emulation/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet::transfers {

/// What a test does at given times of a queue.
class timetable {
public:
    explicit timetable(event_queue& queue): queue_(queue) {}
    void add(double time, std::function<void()> what) {
        plans_.push_back(std::move(what));
        queue_.schedule(
            time, 0,
            {[](void* self, std::uint64_t) { (*static_cast<std::function<void()>*>(self))(); }, &plans_.back(), 0});
    }

private:
    event_queue& queue_;
    std::deque<std::function<void()>> plans_; ///< Each stays where it is.
};

/// A transfer that a test wants, and when it happened.
struct wanted {
    std::uint32_t link = 0;
    double ready = 0;
    std::uint64_t bytes = 0;
    std::int64_t event = -1;
};

/// A ledger with links from node i to node `links` + i, and transfers at given times.
class bench {
public:
    explicit bench(std::size_t links): links_(links) {
        for (std::size_t i = 0; i < 2 * links; ++i) {
            device_model device;
            device.rate_flop_s = 1e9;
            device.radio.receive_w = 0.5;
            accounts.add_node(device);
        }
    }
    link_parameters between(std::uint32_t number, double latency = 0.0) const {
        link_parameters one;
        one.from = number;
        one.to = static_cast<std::uint32_t>(links_) + number;
        one.kind = link_class::cs_up;
        one.name = "link" + std::to_string(number);
        one.latency_s = latency;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 2.0;
        return one;
    }
    void add(double rate, medium& shared, double latency = 0.0) {
        accounts.add_link(between(next_++, latency), std::make_unique<constant_rate>(rate), shared);
    }
    /// Plays transfers, which must be ordered by time.
    void play(std::vector<wanted>& all, std::uint32_t round = 1) {
        accounts.begin_round(round, 0.0);
        for (auto& one : all) {
            jobs_.push_back({this, &one});
        }
        for (auto& job : jobs_) {
            queue.schedule(job.what->ready, job.what->link,
                           {[](void* self, std::uint64_t) {
                                auto& here = *static_cast<bench_job*>(self);
                                here.owner->send(*here.what);
                            },
                            &job, 0});
        }
        while (!queue.empty()) {
            queue.fire_next();
        }
        jobs_.clear();
        for (std::uint32_t node = 0; node < 2 * links_; ++node) {
            accounts.close_round(std::span(&node, 1), 0.0, queue.now());
        }
    }
    const ledger_event& event(const wanted& one) const {
        return accounts.events()[static_cast<std::size_t>(one.event)];
    }

    event_queue queue;
    ledger accounts{queue, 7};

private:
    struct bench_job {
        bench* owner;
        wanted* what;
    };
    void send(wanted& what) {
        const auto to = static_cast<std::uint32_t>(links_) + what.link;
        what.event = accounts.transfer(what.link, std::span(&to, 1), event_kind::send_forward, what.bytes, -1, {},
                                       {[](void*, std::uint64_t) {}, nullptr, 0});
    }
    std::size_t links_;
    std::uint32_t next_ = 0;
    std::deque<bench_job> jobs_;
};

inline std::unique_ptr<shared_medium> medium_of(bench& here, share_kind share, double capacity = never) {
    return std::make_unique<shared_medium>(here.queue, share, capacity);
}

} // namespace gaisnet::transfers
