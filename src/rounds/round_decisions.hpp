#pragma once

#include "roles/round_plan.hpp"
#include "rounds/exchange_order.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace gaisnet {

/// Decisions of the ledger pass that the tensor pass follows.
struct round_decisions {
    /// Indexed by cluster; clusters that do not finish in time, or are lost, do not play.
    indexed<cluster_fate> fates;
    bool federates = false;              ///< The round ends with an average at the cloud.
    std::vector<std::uint32_t> averages; ///< Nodes with anything to average, in the order of averaging.
    /// For `clock = real`: arrival times of messages and closing times of averages, s since the start of the edge's
    /// round; the rounds of all edges start together.
    std::map<channel, std::vector<double>> arrivals;
    std::map<std::uint32_t, double> closes;
    double latency_s = 0;                    ///< Of the slowest edge, including its turns and the federation.
    std::vector<decided_exchange> exchanges; ///< See exchange_order.

    std::vector<round_decisions> turns; ///< Later turns of the same round: with scheme = sl one for each cluster.

    static auto parts(auto& self) {
        return std::tie(self.fates, self.federates, self.averages, self.arrivals, self.closes, self.latency_s,
                        self.exchanges, self.turns);
    }
};

} // namespace gaisnet
