#include "network/clustering.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"
#include "scenario/scenario.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace gaisnet {

namespace {

using groups = std::vector<std::vector<std::size_t>>;

/// As network.* or network.file say. Spare clients stay alone.
groups as_given(const clustering_request& in) {
    groups out(static_cast<std::size_t>(listed_clusters(in.scene.network, in.edge)));
    for (std::size_t i = 0; i < in.clients.size(); ++i) {
        if (in.clients[i].home.cluster >= 0) {
            out[static_cast<std::size_t>(in.clients[i].home.cluster)].push_back(i);
        }
    }
    return out;
}

const registration<clustering_entry> registered_given{{"given", as_given}};

double distance(position a, position b) { return std::hypot(a.x - b.x, a.y - b.y); }

/// Chains of neighbours: each begins with the client that is farthest from the edge, so that nobody far away is left for
/// the end, and goes on to the nearest client that is in no chain.
groups of_neighbours(const clustering_request& in) {
    const auto all = in.clients.size();
    const auto [number, size] = cluster_sizes(in.scene, in.edge, all);
    std::vector<bool> taken;
    for (const auto& client : in.clients) {
        taken.push_back(in.state.off.contains(client.name));
    }
    const double now = in.state.time_s;
    const auto nearest = [&](position to, bool farthest) {
        std::optional<std::size_t> best;
        double best_distance = 0.0;
        for (std::size_t i = 0; i < all; ++i) {
            const double here = distance(in.clients[i].place(now), to);
            if (!taken[i] && (!best || (farthest ? here > best_distance : here < best_distance))) {
                best = i;
                best_distance = here;
            }
        }
        return best;
    };
    groups out;
    while (out.size() < number) {
        auto next = nearest(in.station.place(now), true);
        if (!next) {
            break;
        }
        auto& group = out.emplace_back();
        while (next && group.size() < size) {
            taken[*next] = true;
            group.push_back(*next);
            next = nearest(in.clients[*next].place(now), false);
        }
    }
    return out;
}

const registration<clustering_entry> registered_nearest{{"nearest", of_neighbours}};
// What a planner begins with.
const registration<clustering_entry> registered_best{{"best", of_neighbours}};

void check(const scenario& scene, std::size_t edge, const std::vector<formed_cluster>& formed,
           std::span<const candidate> clients) {
    const auto refuse = [&](const std::string& why) {
        throw usage_error("cluster.policy = " + scene.cluster.policy + ", edge " + std::to_string(edge) + ": " + why);
    };
    if (formed.empty()) {
        refuse(scene.cluster.policy == "given" ? "network.file lists clients and no cluster; another policy forms some"
                                               : "it forms no cluster");
    }
    std::vector<bool> taken(clients.size(), false);
    for (const auto& group : formed) {
        if (group.clients.empty()) {
            refuse("it leaves a cluster empty");
        }
        for (const auto client : group.clients) {
            if (taken.at(client)) {
                refuse("it takes " + clients[client].name + " twice");
            }
            taken[client] = true;
        }
    }
}

} // namespace

std::pair<std::size_t, std::size_t> cluster_sizes(const scenario& scene, int edge, std::size_t clients) {
    const auto listed = static_cast<std::size_t>(listed_clusters(scene.network, edge));
    const auto size = static_cast<std::size_t>(scene.cluster.size);
    auto number = static_cast<std::size_t>(scene.cluster.number);
    if (number == 0) {
        number = listed > 0 ? listed : size > 0 ? (clients + size - 1) / size : 1;
    }
    return {number, size > 0 ? size : (clients + number - 1) / number};
}

formed_clusters form_clusters(const scenario& scene, const population& all, const network_state& state) {
    auto out = scene.cluster.formed;
    const auto& policy = registry<clustering_entry>::at(scene.cluster.policy, "cluster.policy");
    const auto& listed = scene.network.overrides.clusters;
    for (std::size_t edge = 0; scene.cluster.formed.empty() && edge < all.clients.size(); ++edge) {
        auto& made = out.emplace_back();
        for (auto& clients : policy.group({scene, static_cast<int>(edge), all.edges[edge], all.clients[edge], state})) {
            made.push_back({std::move(clients), {}, 0});
            if (scene.cluster.policy == "given" && !listed.empty()) {
                const auto& said = listed[edge][made.size() - 1];
                made.back().blocks = said.blocks;
                made.back().edge_blocks = said.edge_blocks;
            }
        }
    }
    for (std::size_t edge = 0; edge < out.size(); ++edge) {
        check(scene, edge, out[edge], all.clients[edge]);
        if (scene.scheme == scheme_kind::sl && out[edge].size() != out.front().size()) {
            throw usage_error("scheme = sl: clusters take turns, so all edges need as many; edge0 has " +
                              std::to_string(out.front().size()) + " and edge" + std::to_string(edge) + " " +
                              std::to_string(out[edge].size()));
        }
    }
    return out;
}

formed_clusters form_clusters(const scenario& scene) {
    return form_clusters(scene, make_population(scene, override_index(scene.network.overrides)));
}

} // namespace gaisnet
