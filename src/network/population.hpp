#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"
#include "network/overrides.hpp"
#include "network/placing.hpp"
#include "network/trajectory.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Somebody who may be a node: what does not depend on who forms a cluster with whom.
struct candidate {
    std::string name;
    device_model device;
    std::vector<trajectory> antennas; ///< One, or all access points of an edge without cells.
    client_home home;                 ///< Of a client.
    std::int64_t tuning_size = 0;     ///< See node.

    position place(double time_s = 0) const { return antennas.front().at(time_s); }
};

/// Everybody of a scenario, with every value drawn. Each value depends only on the seed, its purpose and the name.
struct population {
    std::vector<candidate> edges;
    std::vector<std::vector<candidate>> clients; ///< By edge, in the order in which the scenario lists them.
    std::optional<candidate> cloud;
};

/// \throws usage_error for two nodes of one name, or a client without a position.
population make_population(const scenario&, const override_index&);
/// The largest size with which a client tunes, which its edge has, too.
std::int64_t largest_tuning_size(const scenario&);

} // namespace gaisnet
