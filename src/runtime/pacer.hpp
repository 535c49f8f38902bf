#pragma once

#include "transport/transport.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace gaisnet {

/// Maps emulated time to real time: `clock = real`. A round starts at the same moment on all ranks; an event x s into
/// the round is due time_scale x s later.
class pacer {
public:
    using clock = std::chrono::steady_clock;

    /// \param may_spin spin in the last part of a wait: exact, but needs a core for every rank.
    pacer(double time_scale, bool may_spin);

    void begin_round(clock::time_point start) { start_ = start; }
    /// Real time at which an event is due that happens `seconds` of emulated time after the start of the round.
    clock::time_point due(double seconds) const {
        return start_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds * scale_));
    }
    /// Waits until `when`, but at most `longest`.
    void wait_until(clock::time_point when, clock::duration longest) const;
    double time_scale() const { return scale_; }

private:
    double scale_;
    bool may_spin_;
    clock::time_point start_{};
};

/// How late something became usable in real time, and why.
struct lateness {
    channel route;
    double due_s = 0;         ///< Emulated, since the start of the round.
    double late_s = 0;        ///< Sum of the four parts below.
    double upstream_s = 0;    ///< Its sender was late.
    double own_compute_s = 0; ///< Its receiver was still computing.
    double neighbour_s = 0;   ///< Another node of the same rank was computing.
    double timer_s = 0;       ///< The rest: the rank woke up late.
};

/// Arrival times for pacing, in emulated seconds since the start of the round.
struct pacing {
    const pacer* clock = nullptr;
    const std::map<channel, std::vector<double>>* arrivals = nullptr; ///< For the messages of each channel, in order.
    std::map<std::uint32_t, double> closes;                           ///< Closing times of averages, by edge.
};

/// The offset from this rank's clock to rank 0's. Ranks on rank 0's host share its clock; the others use the fastest of
/// several round trips. Every rank has to call it, with nothing under way. \param now reads this host's clock
pacer::clock::duration clock_offset(transport&, const std::string& host,
                                    const std::function<pacer::clock::time_point()>& now = pacer::clock::now);

} // namespace gaisnet
