#pragma once

#include "network/population.hpp"
#include "scenario/network.hpp"

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// What is known of a network in the course of a run.
struct network_state {
    double time_s = 0;           ///< Where clients are, and which links reach.
    std::set<std::string> off{}; ///< Clients whose battery is empty.
};

/// What a clustering_entry groups: the clients of one edge, in the order in which the scenario lists them.
struct clustering_request {
    const scenario& scene;
    int edge = 0;
    const candidate& station; ///< The edge.
    std::span<const candidate> clients;
    const network_state& state;
};

/// Number of clusters of an edge, and the clients of a cluster at most, by cluster.number and cluster.size.
std::pair<std::size_t, std::size_t> cluster_sizes(const scenario&, int edge, std::size_t clients);

/// The clusters of all edges: as they have been formed already (cluster_settings::formed), else by the rule that
/// cluster.policy names.
/// \throws usage_error for a rule that forms no cluster, leaves one empty, or takes a client twice.
formed_clusters form_clusters(const scenario&, const population&, const network_state& = {});
formed_clusters form_clusters(const scenario&);

} // namespace gaisnet
