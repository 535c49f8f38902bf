#pragma once

#include "network/overrides.hpp"
#include "network/topology.hpp"

namespace gaisnet {

/// Adds all links and media to a topology whose nodes, clusters and radio map are there.
/// \throws usage_error for what network.file says about a link that it cannot have, and for a cluster that cannot be
/// formed, because a link that it needs carries less than link.*.min_rate.
void add_links(topology&, const scenario&, const override_index&, const backward_hops&, double at_s);

} // namespace gaisnet
