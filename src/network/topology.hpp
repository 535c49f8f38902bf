#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"
#include "emulation/link.hpp"
#include "network/radio_map.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Who takes part.
struct node {
    std::string name; ///< "edge0"; "c2.1": client 1 of cluster 2; "e1.c2.1" when there are several edges. 0-based.
    node_role role{};
    int edge = -1;    ///< Index of its edge; -1 for the cloud.
    int cluster = -1; ///< Global index of its cluster; -1 for edges and the cloud.
    int member = -1;  ///< Place among the clients of its cluster.
    device_model device;
};

/// One stage of a chain: what one node holds of the model.
struct chain_stage {
    std::uint32_t node = 0;
    /// Patch and position embedding; at the start point, so that no raw sample leaves it (but scheme = centralised).
    bool embedding = false;
    int first_block = 0, blocks = 0;
    bool head = false; ///< Final norm, MLP head and loss.
};

/// A chain of clients under one edge.
struct cluster {
    std::string name; ///< "c2" or "e1.c2"
    int edge = 0;
    int place = 0;                      ///< Among the clusters of its edge.
    std::vector<std::uint32_t> clients; ///< Nodes in chain order; the first is the start point.
    /// What smashed data runs through. A client that holds nothing is not in it. With labels kept local the last stage
    /// is the head, back at the start point (U-shaped split learning, Vepakomma et al. 2018).
    std::vector<chain_stage> chain;
};

/// A directed link; made for every pair that the workflow can use.
struct network_link {
    link_parameters parameters;
    double rate_bit_s = 0;    ///< When nobody shares its medium, without fading, at the start.
    double rate_factor = 1.0; ///< For what-if: on whatever its rate follows from.
    bool spare = false;       ///< Only for a chain that is repaired (dropout.policy); it may be out of reach.
    bool by_radio = false;    ///< Its rate follows from radio; otherwise it is rate_bit_s, or a trace.
    std::shared_ptr<const rate_trace> trace;
    std::optional<std::size_t> medium;                            ///< Index of the medium that it shares.
    double distance_m = std::numeric_limits<double>::quiet_NaN(); ///< by_radio
    double path_loss_db = std::numeric_limits<double>::quiet_NaN();

    /// bit/s: of a trace its peak.
    double fastest_rate() const;
};

/// What links of one class under one edge share.
struct network_medium {
    link_class kind{};
    share_kind share{};
    int edge = 0; ///< -1: of all edges (backhaul).
    double bandwidth_hz = 0;
    double capacity_bit_s = 0; ///< maxmin
};

/// Nodes, clusters and links of a scenario, every value drawn. A pure function of the scenario: each value depends only
/// on the seed, its purpose and the name of its node or link.
struct topology {
    std::vector<node> nodes; ///< Edges first, then the clients, cluster by cluster in chain order, then the cloud.
    std::vector<cluster> clusters;
    std::vector<network_link> links;
    std::vector<network_medium> media;
    std::shared_ptr<const radio_map> radio; ///< Also the positions.
    int edges = 1;
    std::optional<std::uint32_t> cloud; ///< Its node, if there is one.
    std::vector<std::string> warnings;  ///< doubtful_figures()

    /// The link between two nodes; null when there is none.
    const network_link* link_between(std::uint32_t from, std::uint32_t to) const;
};

/// By stage of a chain, whether a gradient goes from it to the stage before.
using backward_hops = std::function<std::vector<bool>(const cluster&)>;

/// \throws usage_error for a cut that does not fit the model, or a cluster that cannot be formed: a link that its
/// workflow needs carries less than link.*.min_rate.
/// \param backward which hops of a chain have a gradient to carry; not given: all.
topology make_topology(const scenario&, const backward_hops& backward = {});

/// W that a node radiates over links of a class.
double radiated_w(const scenario&, const node&, link_class);

/// The settings of a class of links.
const link_settings& settings_of(const scenario&, link_class);

} // namespace gaisnet
