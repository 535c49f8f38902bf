#pragma once

#include "emulation/device.hpp"
#include "emulation/event.hpp"
#include "network/scenario.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// Who takes part: an edge or a client.
struct node {
    std::string name; ///< "edge0"; "c2.1": client 1 of cluster 2; "e1.c2.1" when there are several edges. 0-based.
    node_role role{};
    int edge = -1;    ///< Index of its edge.
    int cluster = -1; ///< Global index of its cluster; -1 for edges.
    int member = -1;  ///< Place among the clients of its cluster.
    device_model device;
};

/// One stage of a chain: what one node holds of the model.
struct chain_stage {
    std::uint32_t node = 0;
    bool embedding = false; ///< Patch and position embedding; only at the start point, so that no raw sample leaves it.
    int first_block = 0, blocks = 0;
    bool head = false; ///< Final norm, MLP head and loss.
};

/// A chain of clients under one edge.
struct cluster {
    std::string name; ///< "c2" or "e1.c2"
    int edge = 0;
    std::vector<std::uint32_t> clients; ///< Nodes in chain order; the first is the start point.
    /// What smashed data runs through. A client that holds nothing is not in it. With labels kept local the last stage
    /// is the head, back at the start point (U-shaped split learning, Vepakomma et al. 2018).
    std::vector<chain_stage> chain;
};

/// A directed link; made for every pair that the workflow can use.
struct link_description_model {
    std::uint32_t from = 0, to = 0;
    link_class kind{};
    double rate_bit_s = 0, latency_s = 0, bandwidth_hz = 0;
};

/// Nodes, clusters and links of a scenario, every value drawn. A pure function of the scenario: each value depends only
/// on the seed, its purpose and the name of its node or link.
struct topology {
    std::vector<node> nodes; ///< Edges first, then the clients, cluster by cluster in chain order.
    std::vector<cluster> clusters;
    std::vector<link_description_model> links;
    int edges = 1;
};

/// \throws usage_error for a cut that does not fit the model.
topology make_topology(const scenario&);

/// Equal shares of `depth` blocks over a chain of `members`. With three or more the first, which holds the embedding,
/// holds none, nor does the last if it holds the head.
std::vector<int> even_split(int depth, int members, bool head_at_the_last = true);

} // namespace gaisnet
