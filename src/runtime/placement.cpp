#include "runtime/placement.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

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

/// Divides work that stands in a row among ranks: neighbours stay together, each rank gets something and, as far as the
/// row allows it, as much as the others. \param ranks as many as there is work, at most \returns the rank of each
std::vector<int> divide(const std::vector<double>& work, int ranks) {
    const double total = std::accumulate(work.begin(), work.end(), 0.0);
    const auto count = static_cast<int>(work.size());
    std::vector<int> out;
    double before = 0.0;
    for (int i = 0; i < count; ++i) {
        const double own = work[static_cast<std::size_t>(i)];
        const double middle = total > 0.0 ? (before + own / 2.0) / total : (i + 0.5) / count;
        const int last = out.empty() ? -1 : out.back();
        // Half a rank goes to the one before.
        const auto rank = static_cast<int>(std::ceil(middle * ranks - 1e-9)) - 1;
        const int fair = std::clamp(rank, std::max(last, 0), last + 1);
        out.push_back(std::max(fair, ranks - (count - i))); // the others need one each
        before += own;
    }
    return out;
}

/// The clusters that compute together, by the first of them.
std::map<int, std::vector<int>> groups_of(const placement_request& wanted) {
    std::map<int, std::vector<int>> groups;
    for (int c = 0; c < static_cast<int>(wanted.net.clusters.size()); ++c) {
        groups[wanted.group_of(c)].push_back(c);
    }
    return groups;
}

/// Cuts chains: into as many pieces of equal work as there are ranks or, where ranks outnumber the nodes of each chain, all
/// chains one behind the other. So neighbours sit on different ranks as soon as that lets them work at the same time. Of
/// clusters that compute together the first one counts; the others follow it.
std::vector<int> place_by_node(const placement_request& wanted) {
    const auto& net = wanted.net;
    std::vector<int> rank_of(net.nodes.size(), 0);
    const auto place = [&](const std::vector<std::uint32_t>& row, const std::vector<double>& work, int ranks) {
        const auto ranks_of_row = divide(work, ranks);
        for (std::size_t i = 0; i < row.size(); ++i) {
            rank_of[row[i]] = ranks_of_row[i];
        }
    };
    std::vector<std::uint32_t> all(static_cast<std::size_t>(net.edges)); // of all chains in one row
    std::iota(all.begin(), all.end(), 0U);
    std::vector<double> all_work;
    for (const auto edge : all) {
        all_work.push_back(wanted.work_of(edge));
    }
    const auto groups = groups_of(wanted);
    std::size_t longest = 0;
    for (const auto& [first, members] : groups) {
        const auto& chain = net.clusters[first].clients;
        longest = std::max(longest, chain.size());
        for (const auto client : chain) {
            all.push_back(client);
            all_work.push_back(wanted.work_of(client) * static_cast<double>(members.size()));
        }
    }
    if (net.cloud) {
        all.push_back(*net.cloud);
        all_work.push_back(wanted.work_of(*net.cloud));
    }
    if (static_cast<std::size_t>(wanted.ranks) <= longest) {
        for (const auto& [first, members] : groups) {
            const auto& chain = net.clusters[first].clients;
            std::vector<double> work;
            for (const auto client : chain) {
                work.push_back(wanted.work_of(client));
            }
            place(chain, work, std::min(wanted.ranks, static_cast<int>(chain.size())));
        }
        for (std::size_t edge = 0; edge < static_cast<std::size_t>(net.edges); ++edge) {
            rank_of[edge] = static_cast<int>(edge) % wanted.ranks;
        }
    } else if (static_cast<std::size_t>(wanted.ranks) <= all.size()) {
        place(all, all_work, wanted.ranks);
    } else {
        throw usage_error(
            "placement = node: clusters that compute together (runtime.fuse) are on the same ranks, so at most " +
            std::to_string(all.size()) + " ranks can be used, but " + std::to_string(wanted.ranks) +
            " were started; runtime.fuse = off allows " + std::to_string(players_of(net)));
    }
    keep_together(wanted, rank_of);
    spares_stay_with_edges(net, rank_of);
    return rank_of;
}

/// Keeps the clients of a cluster together, and clusters that compute together. An edge stays with its first cluster.
std::vector<int> place_by_cluster(const placement_request& wanted) {
    const auto& net = wanted.net;
    const auto groups = groups_of(wanted);
    if (wanted.ranks > static_cast<int>(groups.size())) {
        const auto clusters = net.clusters.size();
        throw usage_error("placement = cluster: the scenario has " + std::to_string(clusters) + " clusters" +
                          (groups.size() < clusters
                               ? ", which compute in " + std::to_string(groups.size()) + " groups (runtime.fuse)"
                               : "") +
                          ", but " + std::to_string(wanted.ranks) + " ranks were started: at most " +
                          std::to_string(groups.size()) + " ranks can be used, or " + std::to_string(players_of(net)) +
                          " with placement = node" + (groups.size() < clusters ? " and runtime.fuse = off" : ""));
    }
    std::vector<double> work;
    for (const auto& [first, members] : groups) {
        work.push_back(0.0);
        for (const int c : members) {
            for (const auto client : net.clusters[c].clients) {
                work.back() += wanted.work_of(client);
            }
        }
    }
    const auto ranks_of_groups = divide(work, wanted.ranks);
    std::vector<int> rank_of(net.nodes.size(), 0);
    std::size_t number = groups.size();
    for (auto group = groups.rbegin(); group != groups.rend(); ++group) { // so that an edge gets the rank of its first
        const int rank = ranks_of_groups[--number];
        for (const int c : group->second) {
            for (const auto client : net.clusters[c].clients) {
                rank_of[client] = rank;
            }
            rank_of[static_cast<std::size_t>(net.clusters[c].edge)] = rank;
        }
    }
    spares_stay_with_edges(net, rank_of);
    return rank_of;
}

/// By cluster while there are enough groups of clusters.
std::vector<int> place_automatically(const placement_request& wanted) {
    return wanted.ranks > static_cast<int>(groups_of(wanted).size()) ? place_by_node(wanted) : place_by_cluster(wanted);
}

const registration<placement_entry> registered_node{{"node", place_by_node}};
const registration<placement_entry> registered_cluster{{"cluster", place_by_cluster}};
const registration<placement_entry> registered_auto{{"auto", place_automatically}};

} // namespace

void keep_together(const placement_request& wanted, std::vector<int>& rank_of) {
    for (const auto& [first, members] : groups_of(wanted)) {
        const auto& leaders = wanted.net.clusters[first].clients;
        for (const int c : members) {
            const auto& clients = wanted.net.clusters[c].clients;
            for (std::size_t place = 0; place < std::min(leaders.size(), clients.size()); ++place) {
                rank_of[clients[place]] = rank_of[leaders[place]];
            }
        }
    }
}

std::vector<int> place_nodes(const placement_request& wanted, const std::string& placement) {
    const int nodes = players_of(wanted.net);
    if (wanted.ranks > nodes) {
        throw usage_error("the scenario has " + std::to_string(nodes) + " nodes, but " + std::to_string(wanted.ranks) +
                          " ranks were started: at most " + std::to_string(nodes) + " ranks can be used");
    }
    auto rank_of = registry<placement_entry>::at(placement, "placement").place(wanted);
    const auto used = [&] { return std::set<int>(rank_of.begin(), rank_of.end()).size(); };
    const auto before = used();
    keep_together(wanted, rank_of);
    if (used() < before) {
        throw usage_error("placement = " + placement + ": clusters that compute together leave " +
                          std::to_string(before - used()) + " of " + std::to_string(wanted.ranks) +
                          " ranks without work: start fewer, or set runtime.fuse to fewer clusters");
    }
    return rank_of;
}

} // namespace gaisnet
