#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace gaisnet {

/// A transfer, seen by the radio at one of its ends.
struct radio_use {
    std::int64_t event = -1;
    double start_s = 0, end_s = 0; ///< When it occupied its link.
    double on_air_s = 0;           ///< Time on the air within that span; only the average share at each moment is used.
    link_class link{};
    bool sends = false;
    double radiated_w = 0; ///< sends
    bool in_turns = false; ///< Its medium lets one link send at a time; otherwise what a node sends at once shares
                           ///< its radiated power.
};

/// What one radio did and drew in a span of time. Its states are exclusive, as in the Wi-Fi energy models of ns-3 and
/// SimGrid: it sends, else receives, else is idle. Simultaneous transfers divide the power of the state in proportion
/// to their time on the air. The amplifier draws radiated power / efficiency; simultaneous transmissions over links of
/// one class never radiate more than one transmission alone.
class radio_timeline {
public:
    /// A span of time with constant power.
    struct interval {
        double start_s, end_s, watts;
    };

    explicit radio_timeline(const radio_power& radio): radio_(radio) {}
    /// \param uses none ends after `end_s`. \param charge is called with each use and its energy in J. \param visit is
    /// called with each interval, in order.
    void run(const std::vector<radio_use>& uses, double start_s, double end_s,
             const std::function<void(const radio_use&, double joules)>& charge,
             const std::function<void(const interval&)>& visit = {});

    double transmit_j() const { return transmit_j_; }
    double receive_j() const { return receive_j_; }
    double idle_j() const { return idle_j_; }

private:
    radio_power radio_;
    double transmit_j_ = 0, receive_j_ = 0, idle_j_ = 0;
};

} // namespace gaisnet
