#pragma once

#include "results/rows.hpp"
#include "roles/deployment.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// The nodes (with their ranks) and links of a topology as table rows.
std::vector<node_description> describe_nodes(const deployment&, const std::vector<int>& rank_of);
std::vector<chain_description> describe_chains(const deployment&);
std::vector<link_description> describe_links(const deployment&);
/// "960 training and 240 validation samples an edge", or the numbers of each edge if they differ.
std::string describe_sizes(const deployment&);

} // namespace gaisnet
