#pragma once

#include "network/topology.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// Warnings about implausible values, one for each class of links: rates that no radio reaches in the given band, and
/// distances or carriers outside the range of a path loss model.
std::vector<std::string> doubtful_figures(const scenario&, const topology&);

} // namespace gaisnet
