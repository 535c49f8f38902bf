#pragma once

#include "transport/transport.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace gaisnet {

/// Real time for emulated time: `clock = real`. A round begins at the same moment on all ranks; what happens x s into it
/// is due time_scale x later.
class pacer {
public:
    using clock = std::chrono::steady_clock;

    /// \param may_spin the last part of a wait is spun, which is exact but needs a core for every rank.
    pacer(double time_scale, bool may_spin);

    void begin_round(clock::time_point start) { start_ = start; }
    /// When something is due that happens `seconds` after the start of the round in emulated time.
    clock::time_point due(double seconds) const {
        return start_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds * scale_));
    }
    /// Waits until `when`, but no longer than `longest`.
    void wait_until(clock::time_point when, clock::duration longest) const;
    double time_scale() const { return scale_; }

private:
    double scale_;
    bool may_spin_;
    clock::time_point start_{};
};

/// How late something became usable, in real time, and why.
struct lateness {
    channel route;
    double due_s = 0;         ///< Emulated, since the start of the round.
    double late_s = 0;        ///< The sum of the four parts.
    double upstream_s = 0;    ///< It came late: its sender was.
    double own_compute_s = 0; ///< Its receiver was still computing.
    double neighbour_s = 0;   ///< Another node of the same rank was.
    double timer_s = 0;       ///< The rest: the rank woke up late.
};

/// Real arrival times, in emulated seconds since the start of the round.
struct pacing {
    const pacer* clock = nullptr;
    const std::map<channel, std::vector<double>>* arrivals = nullptr; ///< Of the messages of a channel, in their order.
    std::map<std::uint32_t, double> closes;                           ///< Of the averages, by edge.
};

/// What has to be added to this rank's clock to get rank 0's. Ranks of rank 0's host share its clock; the others take the
/// fastest of some round trips. Every rank has to call it, with nothing under way.
pacer::clock::duration clock_offset(transport&, const std::string& host);

} // namespace gaisnet
