#pragma once

#include "network/placing.hpp"
#include "network/topology.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace gaisnet {

/// A client that a clustering may take.
struct clustering_candidate {
    const client_home* home = nullptr;
    const device_model* device = nullptr;
    position place; ///< At the start.
};

/// What a clustering_entry groups: the clients of one edge, in the order in which the scenario lists them.
struct clustering_request {
    const scenario& scene;
    int edge = 0;
    std::span<const clustering_candidate> clients;
};

/// The clusters of an edge, by the rule that cluster.policy names: candidates by index, in chain order, the start point
/// first.
/// \throws usage_error for a rule that leaves a cluster empty, takes a client twice, or makes another number of clusters
/// than network.clusters.
std::vector<std::vector<std::size_t>> make_clusters(const clustering_request&);

} // namespace gaisnet
