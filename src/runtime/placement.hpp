#pragma once

#include "network/topology.hpp"
#include "scenario/run.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// The rank of every node, by the rule that `placement` names.
/// \throws usage_error when ranks would have nothing to do, saying how many can be used.
std::vector<int> place_nodes(const topology&, const std::string& placement, int ranks);

} // namespace gaisnet
