#pragma once

#include "rounds/ledger_run.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// Use of one device or one directed link over the rounds of a forecast.
struct resource_use {
    std::uint32_t node = 0, peer = 0; ///< If equal, the device of that node.
    link_class link{};
    double critical_s = 0; ///< Its share of the rounds' latencies, on the critical path of each edge.
    double occupied_s = 0;
    double flops = 0;
    std::uint64_t transfers = 0, bytes = 0;
    double energy_j = 0, airtime_hz_s = 0;
};

/// Results of the ledger over some rounds, summed by device and link.
struct forecast {
    std::vector<round_row> rounds;
    std::vector<node_row> nodes; ///< Grouped by round.
    std::vector<resource_use> devices, links;
    double waiting_s = 0;     ///< Waiting for deadlines, on the critical paths.
    std::uint64_t events = 0; ///< Events that the ledger processed.
};

/// Sums rounds as they are played.
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

/// Latency of the slowest edge and energy of all edges.
std::pair<double, energy_parts> totals_of(std::span<const round_row>);

/// The device or link with the largest share of the rounds, in words: "d2d c1.2 -> c1.3 takes 61 % of the round: 5.8
/// Mbit/s at 200 m".
std::string bottleneck(const deployment&, const forecast&);

/// The effect of halving one quantity of the network or its devices.
struct sensitivity {
    std::string name; ///< "link.d2d.rate"
    double latency_s = 0;
    energy_parts energy;
};

/// Plays `rounds` rounds repeatedly, each time with one quantity halved: rate and latency of each class of links, speed
/// of each class of devices, sensing time. Quantities that the scenario does not use are omitted.
std::vector<sensitivity> halve_each(const deployment&, int rounds);
/// Of how many of a run's rounds halve_each() should tell: all of them up to 500,000 events, else as many as have that, but no
/// fewer than two, the first of which senses, and than there are from one federation to the next. \param events of all
/// `rounds` \param period cloud.period
int rounds_to_vary(std::uint64_t events, int rounds, int period = 0);
/// The same of what `play` returns for a changed deployment: latency and energy.
std::vector<sensitivity> halve_each(const deployment&,
                                    const std::function<std::pair<double, energy_parts>(const deployment&)>& play);

/// Tables by device and by link: the `most` with the largest share of the rounds' latencies, then of energy.
std::string resource_tables(const deployment&, const forecast&, std::size_t most = 16);
std::string sensitivity_table(double latency_s, const energy_parts&, std::span<const sensitivity>);

} // namespace gaisnet
