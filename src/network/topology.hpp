#pragma once

#include "base/indexed.hpp"
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

/// A participant: an edge, a client or the cloud.
struct node {
    std::string name; ///< "edge0"; "c2.1": client 1 of cluster 2; "e1.c2.1" when there are several edges. 0-based.
    node_role role{};
    int edge = -1;    ///< Index of its edge; -1 for the cloud.
    int cluster = -1; ///< Global index of its cluster; -1 for edges, the cloud and clients that are in none.
    int member = -1;  ///< Place among the clients of its cluster.
    device_model device;
    std::int64_t tuning_size = 0; ///< Of a client: the rank with which it tunes (tuning.rank); 0: that of the edge.
};

/// One stage of a chain: the part of the model that one node holds.
struct chain_stage {
    std::uint32_t node = 0;
    /// Patch and position embedding. It is at the start point, so that no raw sample leaves it (except with scheme =
    /// centralised).
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
    /// The stages that smashed data passes. A client that holds nothing is not among them. With local labels the last
    /// stage is the head, back at the start point (U-shaped split learning, Vepakomma et al. 2018).
    std::vector<chain_stage> chain;
};

/// A directed link. There is one for every pair of nodes that the workflow may connect.
struct network_link {
    link_parameters parameters;
    double rate_bit_s = 0;    ///< With the medium to itself, without fading, at the start.
    double rate_factor = 1.0; ///< For what-if analysis: multiplies the rate.
    bool spare = false;       ///< Only for repaired chains (dropout.policy); it may be out of reach.
    bool by_radio = false;    ///< A radio model determines its rate; otherwise rate_bit_s or a trace does.
    std::shared_ptr<const rate_trace> trace;
    std::optional<std::size_t> medium;                            ///< Index of the medium that it shares.
    double distance_m = std::numeric_limits<double>::quiet_NaN(); ///< by_radio
    double path_loss_db = std::numeric_limits<double>::quiet_NaN();

    /// Rate in bit/s; for a trace, its peak.
    double fastest_rate() const;
};

/// A medium that the links of one class under one edge share.
struct network_medium {
    link_class kind{};
    share_kind share{};
    int edge = 0; ///< -1: shared by all edges (backhaul).
    double bandwidth_hz = 0;
    double capacity_bit_s = 0; ///< maxmin
};

struct population;

/// Nodes, clusters and links of a scenario, with every value drawn. A pure function of the scenario: each value depends
/// only on the seed, its purpose and the name of its node or link.
struct topology {
    /// Edges first, then the clients, cluster by cluster in chain order, then those in no cluster, then the cloud.
    indexed<node> nodes;
    indexed<cluster> clusters;
    std::vector<network_link> links;
    std::vector<network_medium> media;
    std::shared_ptr<const radio_map> radio; ///< It also knows the positions.
    int edges = 1;
    std::optional<std::uint32_t> cloud; ///< Index of the cloud's node, if there is one.
    std::vector<std::string> warnings;  ///< From doubtful_figures().

    /// The link between two nodes; null when there is none.
    const network_link* link_between(std::uint32_t from, std::uint32_t to) const;
};

/// For each stage of a chain, whether it sends a gradient to the previous stage.
using backward_hops = std::function<std::vector<bool>(const cluster&)>;

/// \param backward which hops of a chain carry a gradient; absent: all. \throws usage_error for a cut that does not fit
/// the model, or for a cluster that cannot be formed, because a link that it needs carries less than link.*.min_rate.
topology make_topology(const scenario&, const backward_hops& backward = {});
/// How a topology of given clusters is made.
struct topology_options {
    bool spares = true;                    ///< Clients in no cluster are nodes.
    const topology* numbered_as = nullptr; ///< One of the same population with the same spares: nodes keep its numbers.
    double at_s = 0;                       ///< The time at which links have to reach.
};
/// The topology of some clusters; the scenario's own rule is not asked.
topology make_topology(const scenario&, const population&, const formed_clusters&, const backward_hops& backward = {},
                       const topology_options& = {});

/// Power that a node radiates over links of a class, W.
double radiated_w(const scenario&, const node&, link_class);

/// The settings of a class of links.
const link_settings& settings_of(const scenario&, link_class);

} // namespace gaisnet
