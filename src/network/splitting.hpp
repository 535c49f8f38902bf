#pragma once

#include "network/topology.hpp"

#include <span>
#include <vector>

namespace gaisnet {

/// What a splitter_entry divides: the blocks of a model over the members of a chain.
struct split_request {
    const scenario& scene;
    int depth = 0;                        ///< Blocks to divide.
    std::span<const node* const> members; ///< In chain order; the edge may be one of them.
    bool head_at_the_last = true;         ///< Else the head is back at the start point.
};

/// Splits `depth` blocks equally over a chain of `members`. In a chain of three or more the first member, which holds
/// the embedding, gets no block, and neither does the last one if it holds the head.
std::vector<int> even_split(int depth, int members, bool head_at_the_last = true);

/// What each member of a cluster's chain holds: as the cluster was formed, else by scheme, cluster.edge_stage and
/// split.blocks.
/// \throws usage_error for a cut that does not fit the model.
std::vector<chain_stage> make_chain(const scenario&, const std::vector<node>&, const cluster&, const formed_cluster&);

} // namespace gaisnet
