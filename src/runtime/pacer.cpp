#include "runtime/pacer.hpp"

#include "transport/collectives.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <string>
#include <thread>

namespace gaisnet {

namespace {

/// Waits up to this long are spun: the kernel usually wakes a thread late by less than this.
constexpr std::chrono::microseconds spun{200};

void sleep_until(pacer::clock::time_point when) {
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
    constexpr std::int64_t nanos = 1'000'000'000;
    timespec time{};
    time.tv_sec = since / nanos;
    time.tv_nsec = since % nanos;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {}
}

message stamp(std::uint32_t from, std::uint32_t to, pacer::clock::time_point now) {
    auto tensor = tensor_view::allocate({1}, element_type::int64);
    tensor.as<std::int64_t>()[0] = now.time_since_epoch().count();
    return {{from, to, message_kind::control}, tensor};
}

std::int64_t wait_for_stamp(transport& network) {
    for (;;) {
        if (auto arrived = network.poll()) {
            return arrived->tensor.as<std::int64_t>()[0];
        }
        std::this_thread::yield();
    }
}

} // namespace

pacer::pacer(double time_scale, bool may_spin): scale_(time_scale), may_spin_(may_spin) {
    prctl(PR_SET_TIMERSLACK, 1UL); // wake up on time, without coalescing timers
}

void pacer::wait_until(clock::time_point when, clock::duration longest) const {
    const auto now = clock::now();
    if (when - now > longest) {
        sleep_until(now + longest);
        return;
    }
    if (!may_spin_) {
        sleep_until(when);
        return;
    }
    if (when - now > spun) {
        sleep_until(when - spun);
    }
    while (clock::now() < when) {}
}

pacer::clock::duration clock_offset(transport& network, const std::string& host,
                                    const std::function<pacer::clock::time_point()>& now) {
    constexpr int trips = 16;
    const auto hosts = collect_everywhere(network, host);
    const auto rank = static_cast<std::uint32_t>(network.rank());
    std::vector<std::int64_t> offset(hosts.size()); // indexed by rank
    for (std::uint32_t other = 1; other < hosts.size(); ++other) {
        if (hosts[other] == hosts.front()) {
            continue;
        }
        std::int64_t best = std::numeric_limits<std::int64_t>::max();
        for (int trip = 0; trip < trips; ++trip) {
            if (rank == 0) {
                const auto sent = now().time_since_epoch().count();
                network.send(static_cast<int>(other), stamp(0, other, now()));
                const auto theirs = wait_for_stamp(network);
                const auto back = now().time_since_epoch().count();
                if (back - sent < best) {
                    best = back - sent;
                    offset[other] = sent + (back - sent) / 2 - theirs;
                }
            } else if (rank == other) {
                wait_for_stamp(network);
                network.send(0, stamp(other, 0, now()));
            }
        }
    }
    while (!network.idle()) {}
    return pacer::clock::duration(share_from_root(network, offset)[rank]);
}

} // namespace gaisnet
