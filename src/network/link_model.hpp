#pragma once

#include "emulation/rate_model.hpp"
#include "network/topology.hpp"

#include <cstdint>
#include <memory>

namespace gaisnet {

/// The link that a link_model_entry gives a rate. Parameters, positions (radio_map) and what network.file says are there.
struct link_model_request {
    const scenario& scene;
    const topology& net;
    const network_link& link;
    std::uint32_t round = 0; ///< 0: without what changes by round, such as fading.
};

/// How fast a link is over time in a round, by the model that link.*.model names.
std::unique_ptr<rate_model> make_rate_model(const link_model_request&);
/// Whether a link may have another rate model in every round.
bool changes_by_round(const link_model_request&);
/// Whether a message takes the same time over a link whenever it is sent: there is no radio, no trace, no jitter, and
/// nothing is lost.
bool is_constant(const link_model_request&);

} // namespace gaisnet
