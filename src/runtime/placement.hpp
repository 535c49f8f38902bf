#pragma once

#include "network/topology.hpp"
#include "scenario/scenario.hpp"

#include <vector>

namespace gaisnet {

/// The rank of every node. `cluster` keeps the clients of a cluster together and gives every rank an equal share of
/// clusters (edges stay with their first cluster); `node` deals the nodes out one by one, edges first and chains in
/// order, so that neighbours sit on different ranks; automatic is `cluster` while there are enough clusters.
/// \throws usage_error when ranks would have nothing to do, saying how many can be used.
std::vector<int> place_nodes(const topology&, placement_kind, int ranks);

} // namespace gaisnet
