#pragma once

#include "network/topology.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// Figures of a network that do not go together, in words, one for each class of links: rates that no radio reaches in
/// the band that is given, and links or carriers that a path loss model is not made for.
std::vector<std::string> doubtful_figures(const scenario&, const topology&);

} // namespace gaisnet
