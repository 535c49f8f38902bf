#pragma once

#include "rounds/ledger_run.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// What one device or one directed link did over the rounds of a forecast.
struct resource_use {
    std::uint32_t node = 0, peer = 0; ///< Equal: the device of a node.
    link_class link{};
    double critical_s = 0; ///< Its part of the rounds' latencies, along the critical path of each edge.
    double occupied_s = 0;
    double flops = 0;
    std::uint64_t transfers = 0, bytes = 0;
    double energy_j = 0, airtime_hz_s = 0;
};

/// The ledger over some rounds, added up by device and link.
struct forecast {
    std::vector<round_row> rounds;
    std::vector<node_row> nodes; ///< By round.
    std::vector<resource_use> devices, links;
    double waiting_s = 0;     ///< For deadlines, along the critical paths.
    std::uint64_t events = 0; ///< That the ledger fired.
};

/// Adds up as rounds are played.
class forecaster {
public:
    explicit forecaster(const deployment& deploy): deploy_(deploy) {}
    void add(const round_forecast&);
    forecast take();

private:
    resource_use& use_of(std::uint32_t node, std::uint32_t peer, link_class);
    const deployment& deploy_;
    forecast out_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, resource_use> uses_;
};

/// What takes the largest part of the rounds, in words: "d2d c1.2 -> c1.3 takes 61 % of the round: 5.8 Mbit/s at 200 m".
std::string bottleneck(const deployment&, const forecast&);

/// One figure of the network or its devices, halved, and what that does.
struct sensitivity {
    std::string name; ///< "link.d2d.rate"
    double latency_s = 0;
    energy_parts energy;
};

/// Plays `rounds` rounds again and again, each time with one figure halved: the rate and the latency of each class of
/// links, the speed of each class of devices, the time of sensing. Figures that the scenario does not use are left out.
std::vector<sensitivity> halve_each(const deployment&, int rounds);

/// Tables by device and by link, the `most` with the largest part in the rounds' latencies, then by energy.
std::string resource_tables(const deployment&, const forecast&, std::size_t most = 16);
std::string sensitivity_table(double latency_s, const energy_parts&, std::span<const sensitivity>);

} // namespace gaisnet
