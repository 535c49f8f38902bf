#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace gaisnet {

/// A transfer as the radio at one of its ends sees it.
struct radio_use {
    std::int64_t event = -1;
    double start_s = 0, end_s = 0; ///< Of the occupation of its link.
    double on_air_s = 0;           ///< Of that time; the mean part counts at each moment.
    link_class link{};
    bool sends = false;
    double radiated_w = 0; ///< sends
    bool in_turns = false; ///< Its medium lets one link send at a time; otherwise what a node sends at once shares
                           ///< its radiated power.
};

/// What one radio did and drew in a span of time. States are exclusive (the energy models of ns-3's and SimGrid's Wi-Fi):
/// it sends, else it receives, else it is idle. Transfers that go on at once divide the state's power by their time on
/// the air. The amplifier draws what is radiated over its efficiency; of links of one class, that is never more than
/// one radiated power.
class radio_timeline {
public:
    /// A part of the time in which the power is constant.
    struct interval {
        double start_s, end_s, watts;
    };

    explicit radio_timeline(const radio_power& radio): radio_(radio) {}
    /// \param uses all end by `end_s`. \param charge gets each use and its J. \param visit each interval, in order.
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
