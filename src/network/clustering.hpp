#pragma once

#include "network/population.hpp"
#include "scenario/network.hpp"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {

/// What a clustering_entry groups: the clients of one edge, in the order in which the scenario lists them.
struct clustering_request {
    const scenario& scene;
    int edge = 0;
    const candidate& station; ///< The edge.
    std::span<const candidate> clients;
    double at_s = 0; ///< The time at which they are where they are.
};

/// Number of clusters of an edge, and the clients of a cluster at most, by cluster.number and cluster.size.
std::pair<std::size_t, std::size_t> cluster_sizes(const scenario&, int edge, std::size_t clients);

/// The clusters of all edges: as they have been formed already (cluster_settings::formed), else by the rule that
/// cluster.policy names.
/// \throws usage_error for a rule that forms no cluster, leaves one empty, or takes a client twice.
formed_clusters form_clusters(const scenario&, const population&, double at_s = 0);
formed_clusters form_clusters(const scenario&);

} // namespace gaisnet
