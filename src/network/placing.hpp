#pragma once

#include "network/overrides.hpp"
#include "network/trajectory.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace gaisnet {

/// Where a client belongs by the scenario, before anybody forms clusters.
struct client_home {
    std::string name;
    int edge = 0;
    int cluster = 0;          ///< Index among those of its edge,
    std::string cluster_name; ///< "c2" or "e1.c2".
    std::size_t index = 0;    ///< Among the clients of its edge,
    std::size_t of = 0;       ///< and how many these are.
};

/// Where nodes stand, and how they move. Each value depends on the seed and on names alone.
class placing {
public:
    placing(const scenario& scene, const override_index& overrides): scene_(scene), overrides_(overrides) {}

    /// \throws usage_error for a client without a position when all come from network.file.
    trajectory of_client(const client_home&) const;
    /// One antenna in the middle of its cell; without cells its access points.
    std::vector<trajectory> of_edge(int edge, const std::string& name) const;
    trajectory of_cloud(const std::string& name) const;

private:
    /// A client's position, and the disc in which it may move.
    struct region {
        position start, centre;
        double radius_m = 0;
    };
    region region_of(const client_home&) const;
    position centre_of(int edge) const;
    /// The position in network.file, or `otherwise` if there is none.
    position place_of(const std::string& name, position otherwise) const;

    const scenario& scene_;
    const override_index& overrides_;
};

} // namespace gaisnet
