#pragma once

#include "model/family.hpp"
#include "model/tuning_method.hpp"
#include "network/topology.hpp"
#include "roles/deployment.hpp"
#include "roles/inference_plan.hpp"
#include "roles/round_plan.hpp"
#include "runtime/placement.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// Which clusters compute together (runtime.fuse): of each the first one of its group, which is itself if it computes
/// alone. Those of a group are neighbours under one edge, and their chains are cut alike at the same places of their
/// clusters, at nodes that tune with the same sizes. A function of the scenario, not of ranks, because products of other
/// shapes round differently.
///
/// `auto` takes as many as keep their activations of a batch within 32 MB, which caches and memory still serve well, but
/// leaves an edge with 16 groups or more, so that ranks find work: model and number of clusters decide.
std::vector<int> fusion_groups(const scenario&, const topology&, const std::shared_ptr<const foundation_model>&,
                               const std::shared_ptr<const tuning_method>&);

/// The same in a round: clusters that lose a client compute alone, and those that play no part at all.
std::vector<int> undisturbed_groups(const deployment&, const indexed<cluster_fate>&);

/// The same in a session of inference. Texts go on from caches of different lengths, so that each is computed alone.
std::vector<int> groups_of_session(const deployment&, const inference_plan&);

/// What place_nodes() has to know of a run.
placement_request placement_of(const scenario&, const topology&, const std::shared_ptr<const foundation_model>&,
                               const std::shared_ptr<const tuning_method>&, int ranks);

placement_request placement_of(const deployment&, int ranks);

/// Batches that are not divided (runtime.merge_micro_batches) would only be slower where a chain is cut over ranks.
/// \throws usage_error naming a chain that is
void check_merging(const deployment&, const std::vector<int>& rank_of);

} // namespace gaisnet
