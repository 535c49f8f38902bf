#pragma once

#include "roles/deployment.hpp"
#include "scenario/scenario.hpp"

#include <functional>
#include <string>
#include <vector>

namespace gaisnet {

/// The result of cluster.edge_stage = auto.
struct edge_share_choice {
    formed_clusters formed;           ///< With edge_blocks.
    std::vector<std::string> lacking; ///< Clusters that have a problem even with the whole model at the edge.
};

/// Gives the edge as few blocks of each chain as necessary: until the memory of the cluster's clients is enough and a
/// deadline, if there is one (round.wait for fine-tuning, infer.deadline), is met. Tries one block more at a time with
/// the ledger's first round or session. \param deploy makes the deployment of a scenario.
edge_share_choice choose_edge_shares(scenario scene, const std::function<deployment(const scenario&)>& deploy);

} // namespace gaisnet
