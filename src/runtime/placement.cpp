#include "runtime/placement.hpp"

#include "base/error.hpp"

namespace gaisnet {

std::vector<int> place_nodes(const topology& net, placement_kind kind, int ranks) {
    const auto nodes = static_cast<int>(net.nodes.size());
    const auto clusters = static_cast<int>(net.clusters.size());
    if (ranks > nodes) {
        throw usage_error("the scenario has " + std::to_string(nodes) + " nodes, but " + std::to_string(ranks) +
                          " ranks were started: at most " + std::to_string(nodes) + " ranks can be used");
    }
    if (kind == placement_kind::cluster && ranks > clusters) {
        throw usage_error("placement = cluster: the scenario has " + std::to_string(clusters) + " clusters, but " +
                          std::to_string(ranks) + " ranks were started: at most " + std::to_string(clusters) +
                          " ranks can be used, or " + std::to_string(nodes) + " with placement = node");
    }
    std::vector<int> rank_of(net.nodes.size(), 0);
    if (kind == placement_kind::node || (kind == placement_kind::automatic && ranks > clusters)) {
        for (int node = 0; node < nodes; ++node) {
            rank_of[static_cast<std::size_t>(node)] = node % ranks;
        }
        return rank_of;
    }
    for (int c = clusters - 1; c >= 0; --c) { // backwards, so that an edge ends with its first cluster
        const auto& group = net.clusters[static_cast<std::size_t>(c)];
        const int rank = static_cast<int>(static_cast<long>(c) * ranks / clusters);
        for (const auto client : group.clients) {
            rank_of[client] = rank;
        }
        rank_of[static_cast<std::size_t>(group.edge)] = rank;
    }
    return rank_of;
}

} // namespace gaisnet
