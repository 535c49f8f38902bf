#pragma once

#include "experiment/session.hpp"
#include "results/rows.hpp"
#include "rounds/stage_speed.hpp"
#include "runtime/pacer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// `clock = real` over the rounds of a run: starts each round at the same moment on all ranks, and records the
/// lateness.
class real_clock {
public:
    /// Null when the scenario's clock is virtual. Every rank has to call it before anything is sent.
    static std::unique_ptr<real_clock> start(const scenario&, session&);

    const pacer& timer() const { return timer_; }
    /// Starts a round at a moment that rank 0 chooses for all ranks. Every rank has to call it.
    void begin_round();
    /// Waits until a round of `latency_s` has ended, and collects all lateness at rank 0. Every rank has to call it.
    std::vector<fidelity_row> end_round(std::uint32_t round, double latency_s, const std::vector<lateness>& mine);

    /// At rank 0, before anything is written: reports the time scale that the ranks can keep. \throws error with
    /// exit_code::fidelity when strict_fidelity is on and that scale is larger than the scenario's.
    void check_scale(const deployment&, const std::vector<int>& rank_of, const round_forecast&,
                     const std::vector<stage_speed>&) const;
    /// At rank 0: whether the last round was late although strict_fidelity is on.
    bool violated() const { return scene_.strict_fidelity && last_round_s_ > scene_.fidelity_tolerance; }
    std::string complaint(int round) const;
    /// At rank 0: lateness of all messages so far, s.
    const std::vector<double>& late_s() const { return late_s_; }

private:
    real_clock(const scenario&, session&, bool may_spin);

    const scenario& scene_;
    session& here_;
    pacer::clock::duration offset_; ///< Add to this rank's clock to get rank 0's.
    pacer timer_;
    std::vector<double> late_s_;
    double last_round_s_ = 0; ///< The 99th percentile of the lateness of the last round's messages.
};

} // namespace gaisnet
