#include "runtime/placement.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"

#include <algorithm>
#include <functional>

namespace gaisnet {

namespace {

bool is_spare(const node& one) { return one.role == node_role::client && one.cluster < 0; }

/// Nodes that have something to do.
int players_of(const topology& net) {
    return static_cast<int>(std::count_if(net.nodes.begin(), net.nodes.end(), std::not_fn(is_spare)));
}

void spares_stay_with_edges(const topology& net, std::vector<int>& rank_of) {
    for (std::size_t node = 0; node < net.nodes.size(); ++node) {
        if (is_spare(net.nodes[node])) {
            rank_of[node] = rank_of[static_cast<std::size_t>(net.nodes[node].edge)];
        }
    }
}

/// Deals the nodes out one by one, edges first and chains in order: neighbours sit on different ranks.
std::vector<int> place_by_node(const topology& net, int ranks) {
    std::vector<int> rank_of(net.nodes.size(), 0);
    int dealt = 0;
    const auto deal = [&](std::uint32_t node) { rank_of[node] = dealt++ % ranks; };
    for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(net.edges); ++edge) {
        deal(edge);
    }
    for (const auto& group : net.clusters) {
        std::for_each(group.clients.begin(), group.clients.end(), deal);
    }
    if (net.cloud) {
        deal(*net.cloud);
    }
    spares_stay_with_edges(net, rank_of);
    return rank_of;
}

/// Keeps the clients of a cluster together and gives every rank an equal share of clusters. An edge stays with its first
/// cluster.
std::vector<int> place_by_cluster(const topology& net, int ranks) {
    const auto clusters = static_cast<int>(net.clusters.size());
    if (ranks > clusters) {
        throw usage_error("placement = cluster: the scenario has " + std::to_string(clusters) + " clusters, but " +
                          std::to_string(ranks) + " ranks were started: at most " + std::to_string(clusters) +
                          " ranks can be used, or " + std::to_string(players_of(net)) + " with placement = node");
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
    spares_stay_with_edges(net, rank_of);
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
    const int nodes = players_of(net);
    if (ranks > nodes) {
        throw usage_error("the scenario has " + std::to_string(nodes) + " nodes, but " + std::to_string(ranks) +
                          " ranks were started: at most " + std::to_string(nodes) + " ranks can be used");
    }
    return registry<placement_entry>::at(placement, "placement").place(net, ranks);
}

} // namespace gaisnet
