#pragma once

#include "roles/round_plan.hpp"
#include "rounds/exchange_order.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace gaisnet {

/// What the tensor pass has to obey.
struct round_decisions {
    /// By cluster; those that do not end in time, or are lost, do not play.
    std::vector<cluster_fate> fates;
    bool federates = false;              ///< The round ends with the edges' average at the cloud.
    std::vector<std::uint32_t> averages; ///< Nodes with anything to average, in the order in which that begins.
    /// `clock = real`: when messages arrive and averages are closed, s since the start of their edge's round; the rounds
    /// of all edges begin together.
    std::map<channel, std::vector<double>> arrivals;
    std::map<std::uint32_t, double> closes;
    double latency_s = 0;                    ///< Of the slowest edge's round, with its turns and the federation.
    std::vector<decided_exchange> exchanges; ///< See exchange_order.

    std::vector<round_decisions> turns; ///< What follows in the same round: scheme = sl has a turn for each cluster.

    static auto parts(auto& self) {
        return std::tie(self.fates, self.federates, self.averages, self.arrivals, self.closes, self.latency_s,
                        self.exchanges, self.turns);
    }
};

} // namespace gaisnet
