#pragma once

#include "network/topology.hpp"
#include "scenario/run.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// What a placement has to know.
struct placement_request {
    const topology& net;
    int ranks = 1;
    std::vector<double> work{}; ///< FLOP of each node in a round; empty: all have the same.
    /// By cluster: the first one of those with which it computes together (runtime.fuse); empty: each computes alone.
    /// Nodes at the same place of such clusters get one rank.
    std::vector<int> groups{};

    double work_of(std::uint32_t node) const { return work.empty() ? 1.0 : work[node]; }
    int group_of(int cluster) const { return groups.empty() ? cluster : groups[static_cast<std::size_t>(cluster)]; }
};

/// The rank of every node, by the rule that `placement` names.
/// \throws usage_error when ranks would have nothing to do, saying how many can be used.
std::vector<int> place_nodes(const placement_request&, const std::string& placement);

/// Moves nodes at the same place of clusters that compute together to where those of the first cluster are.
void keep_together(const placement_request&, std::vector<int>& rank_of);

} // namespace gaisnet
