#include "runtime/placement.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"

namespace gaisnet {

namespace {

/// Deals the nodes out one by one, edges first and chains in order: neighbours sit on different ranks.
std::vector<int> place_by_node(const topology& net, int ranks) {
    std::vector<int> rank_of;
    for (std::size_t node = 0; node < net.nodes.size(); ++node) {
        rank_of.push_back(static_cast<int>(node % static_cast<std::size_t>(ranks)));
    }
    return rank_of;
}

/// Keeps the clients of a cluster together and gives every rank an equal share of clusters. An edge stays with its first
/// cluster.
std::vector<int> place_by_cluster(const topology& net, int ranks) {
    const auto clusters = static_cast<int>(net.clusters.size());
    if (ranks > clusters) {
        throw usage_error("placement = cluster: the scenario has " + std::to_string(clusters) + " clusters, but " +
                          std::to_string(ranks) + " ranks were started: at most " + std::to_string(clusters) +
                          " ranks can be used, or " + std::to_string(net.nodes.size()) + " with placement = node");
    }
    std::vector<int> rank_of(net.nodes.size(), 0);
    for (int c = clusters - 1; c >= 0; --c) { // backwards, so that an edge gets the rank of its first cluster
        const auto& group = net.clusters[c];
        const int rank = static_cast<int>(static_cast<long>(c) * ranks / clusters);
        for (const auto client : group.clients) {
            rank_of[client] = rank;
        }
        rank_of[static_cast<std::size_t>(group.edge)] = rank;
    }
    return rank_of;
}

/// By cluster while there are enough clusters.
std::vector<int> place_automatically(const topology& net, int ranks) {
    return ranks > static_cast<int>(net.clusters.size()) ? place_by_node(net, ranks) : place_by_cluster(net, ranks);
}

const registration<placement_entry> registered_node{{"node", place_by_node}};
const registration<placement_entry> registered_cluster{{"cluster", place_by_cluster}};
const registration<placement_entry> registered_auto{{"auto", place_automatically}};

} // namespace

std::vector<int> place_nodes(const topology& net, const std::string& placement, int ranks) {
    const auto nodes = static_cast<int>(net.nodes.size());
    if (ranks > nodes) {
        throw usage_error("the scenario has " + std::to_string(nodes) + " nodes, but " + std::to_string(ranks) +
                          " ranks were started: at most " + std::to_string(nodes) + " ranks can be used");
    }
    return registry<placement_entry>::at(placement, "placement").place(net, ranks);
}

} // namespace gaisnet
