#pragma once

#include "roles/deployment.hpp"
#include "scenario/scenario.hpp"

#include <functional>
#include <string>
#include <vector>

namespace gaisnet {

/// What cluster.edge_stage = auto comes to.
struct edge_share_choice {
    std::vector<int> blocks;          ///< By cluster: see scenario::cluster.edge_blocks.
    std::vector<std::string> lacking; ///< Clusters that the whole model at the edge does not help.
};

/// Gives each cluster as few blocks of its chain to the edge as it takes until its clients' memory suffices and, where
/// a deadline is set (round.wait for fine-tuning, infer.deadline), it is met; by the ledger's first round or session,
/// one block more at a time. \param deploy makes the deployment of a scenario.
edge_share_choice choose_edge_shares(scenario scene, const std::function<deployment(const scenario&)>& deploy);

} // namespace gaisnet
