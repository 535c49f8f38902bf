#pragma once

#include "network/population.hpp"
#include "scenario/network.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace gaisnet {

/// What a clustering_entry groups: the clients of one edge, in the order in which the scenario lists them.
struct clustering_request {
    const scenario& scene;
    int edge = 0;
    const candidate& station; ///< The edge.
    std::span<const candidate> clients;
};

/// The clusters of all edges: as they have been formed already (cluster_settings::formed), else by the rule that
/// cluster.policy names.
/// \throws usage_error for a rule that forms no cluster, leaves one empty, or takes a client twice.
formed_clusters form_clusters(const scenario&, const population&);
formed_clusters form_clusters(const scenario&);

} // namespace gaisnet
