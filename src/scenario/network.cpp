#include "scenario/network.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

namespace gaisnet {

namespace {

/// Blocks that network.file gives a cluster.
void check_listed(const scenario& scene, const listed_cluster& group, const value_reader& in) {
    if (group.blocks.empty() && group.edge_blocks == 0) {
        return;
    }
    const auto name = "the cluster of " + group.clients.front();
    if (scene.scheme != scheme_kind::hfsl) {
        in.reject("network.file", name + " has blocks, which belong to scheme = hfsl");
    }
    if (in.text("split.blocks") != find_key("split.blocks")->initial || scene.cluster.edge_stage ||
        scene.cluster.edge_when_needed) {
        in.reject("network.file",
                  name + " has blocks: split.blocks and cluster.edge_stage are not accepted beside them");
    }
    const auto sum = std::accumulate(group.blocks.begin(), group.blocks.end(), group.edge_blocks);
    if (!group.blocks.empty() && (group.blocks.size() != group.clients.size() || sum != scene.model.depth)) {
        in.reject("network.file", name + " has " + std::to_string(group.clients.size()) + " clients and the model " +
                                      std::to_string(scene.model.depth) + " blocks, but " +
                                      std::to_string(group.blocks.size()) + " counts with sum " + std::to_string(sum) +
                                      " are given");
    }
    if (group.edge_blocks > scene.model.depth) {
        in.reject("network.file", name + ": edge_blocks is above model.depth = " + std::to_string(scene.model.depth));
    }
}

bool is_alone(scheme_kind scheme) { return scheme == scheme_kind::fl || scheme == scheme_kind::centralised; }

} // namespace

std::vector<int> network_settings::parse_clients(const std::string& text) {
    std::vector<int> clients;
    for (const auto& count : split_text(text, ',')) {
        clients.push_back(static_cast<int>(parse_integer(count, within(1, network_settings::most_nodes))));
    }
    if (clients.empty()) {
        throw usage_error("one number, or one for each cluster, is accepted");
    }
    return clients;
}

split_rule split_settings::parse_blocks(const std::string& text) {
    if (registry<splitter_entry>::find(text)) {
        return {.policy = text};
    }
    split_rule rule;
    for (const auto& list : split_text(text, ';')) {
        auto& counts = rule.blocks.emplace_back();
        for (const auto& count : split_text(list, ',')) {
            constexpr double most = 1e6;
            counts.push_back(static_cast<int>(parse_integer(count, within(0, most))));
        }
    }
    return rule;
}

edge_stage_rule cluster_settings::parse_edge_stage(const std::string& text) {
    if (text == "none") {
        return {};
    }
    if (text == "auto") {
        return {.edge_stage = {}, .edge_when_needed = true};
    }
    return {.edge_stage = static_cast<int>(parse_integer(text, at_least(2)))};
}

int listed_clusters(const network_settings& network, int edge) {
    const auto& [clusters, nodes, links] = network.overrides;
    if (!clusters.empty()) {
        return static_cast<int>(clusters.at(static_cast<std::size_t>(edge)).size());
    }
    // A file that lists clients without clusters lists all of them.
    return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.edge.has_value(); })
               ? 0
               : network.clusters;
}

int clusters_of(const scenario& scene, int edge) {
    const auto& formed = scene.cluster.formed;
    return formed.empty() ? listed_clusters(scene.network, edge)
                          : static_cast<int>(formed.at(static_cast<std::size_t>(edge)).size());
}

int first_cluster_of(const scenario& scene, int edge) {
    int number = 0;
    for (int before = 0; before < edge; ++before) {
        number += clusters_of(scene, before);
    }
    return number;
}

std::map<std::string, std::string> listed_sizes(const network_overrides& listed) {
    const auto sizes_of = [](const std::vector<listed_cluster>& groups) {
        std::vector<std::size_t> sizes;
        for (const auto& group : groups) {
            sizes.push_back(group.clients.size());
        }
        return sizes;
    };
    const auto sizes = sizes_of(listed.clusters.front());
    std::map<std::string, std::string> out{{"network.edges", std::to_string(listed.clusters.size())}};
    if (std::any_of(listed.clusters.begin(), listed.clusters.end(),
                    [&](const auto& groups) { return groups.size() != sizes.size(); })) {
        return out; // no one number says how many clusters an edge has
    }
    out["network.clusters"] = std::to_string(sizes.size());
    const bool alike = std::all_of(sizes.begin(), sizes.end(), [&](std::size_t size) { return size == sizes.front(); });
    std::string clients;
    for (const auto size : sizes) {
        clients += (clients.empty() ? "" : ",") + std::to_string(size);
    }
    out["network.clients"] = alike ? std::to_string(sizes.front()) : clients;
    return out;
}

void resolve_network(settings& values) {
    const auto& file = values.at("network.file");
    if (file.value.empty()) {
        return;
    }
    network_overrides listed;
    try {
        const auto path = expanded_path(file.value);
        if (!std::filesystem::exists(path)) {
            return; // read_scenario() reports it
        }
        listed = read_network_file(path);
    } catch (const usage_error& problem) {
        throw usage_error(file.source + ": network.file = " + file.value + ": " + problem.what());
    }
    if (listed.clusters.empty()) {
        return;
    }
    for (const auto& [key, size] : listed_sizes(listed)) {
        if (values.at(key).is_default()) {
            values[key] = {size, "network.file", true};
        }
    }
}

void check_network(const scenario& scene, const value_reader& in) {
    const auto& network = scene.network;
    if (const auto& listed = network.overrides.clusters; !listed.empty()) {
        const auto sizes = listed_sizes(network.overrides);
        for (const auto& [key, size] : sizes) {
            if (in.text(key) != size) {
                in.reject(key, "network.file lists " + size + ": they must agree, or only one of them is given");
            }
        }
        for (const auto* key : {"network.clusters", "network.clients"}) {
            if (!sizes.contains(key) && in.is_changed(key)) {
                in.reject(key, "network.file lists other numbers of clusters for each edge, which alone count");
            }
        }
        for (const auto& groups : listed) {
            for (const auto& group : groups) {
                check_listed(scene, group, in);
            }
        }
    }
    for (const auto& node : network.overrides.nodes) {
        if (node.edge && *node.edge >= network.edges) {
            in.reject("network.file", node.name + " is at edge" + std::to_string(*node.edge) +
                                          ", and network.edges is " + std::to_string(network.edges));
        }
    }
    const auto most_clients = *std::max_element(network.clients.begin(), network.clients.end());
    if (static_cast<double>(network.edges) * network.clusters * most_clients > network_settings::most_nodes) {
        in.reject("network.clients", "edges x clusters x clients: at most 5 million nodes are accepted");
    }
    const auto lists = network.clients.size();
    if (lists != 1 && lists != static_cast<std::size_t>(network.clusters)) {
        in.reject("network.clients", std::to_string(lists) + " numbers for " + std::to_string(network.clusters) +
                                         " clusters; one number, or one for each cluster, is accepted");
    }
    if (network.cluster_radius > network.radius && in.is_changed("network.cluster_radius")) {
        in.reject("network.cluster_radius", "at most network.radius = " + in.text("network.radius") + " is accepted");
    }
    if (network.layout == layout_kind::list && !in.is_set("network.file")) {
        in.reject("network.layout", "list needs network.file, which holds the positions");
    }
    if (scene.cluster.edge_when_needed && in.text("split.blocks") != "even") {
        in.reject("split.blocks",
                  "with cluster.edge_stage = auto clients share evenly what the edge leaves: even is accepted");
    }
    for (const int clients : scene.cluster.edge_stage ? network.clients : std::vector<int>()) {
        if (*scene.cluster.edge_stage > clients + 1) {
            in.reject("cluster.edge_stage", "a chain of " + std::to_string(clients) +
                                                " clients accepts none, or 2 to " + std::to_string(clients + 1));
        }
    }
}

void check_places(scenario& scene, const value_reader& in) {
    auto& mobility = scene.mobility;
    if (mobility.speed.lowest() < 1e-3 && mobility.speed.kind != distribution::family::normal) {
        in.reject("mobility.speed", "from 1 mm/s is accepted; mobility.model = none lets clients stand still");
    }
    if (mobility.paths && mobility.kind == mobility_kind::none) {
        mobility.kind = mobility_kind::file;
    }
    const bool moving = mobility.kind != mobility_kind::none;
    if (moving && !scene.link.cs_up.radio && !scene.link.cs_down.radio && !scene.link.d2d.radio) {
        in.reject(mobility.paths ? "mobility.file" : "mobility.model",
                  "movement changes radio links, and there are none: set link.*.path_loss");
    }
    for (const auto* key : {"mobility.speed", "mobility.pause"}) {
        if (mobility.kind != mobility_kind::waypoint && in.is_changed(key)) {
            in.reject(key, "it belongs to mobility.model = waypoint");
        }
    }
    if (!moving && in.is_changed("mobility.step")) {
        in.reject("mobility.step", "it belongs to mobility.model = waypoint or a mobility.file");
    }
}

void check_split(const scenario& scene, const value_reader& in) {
    const auto& network = scene.network;
    const auto lists = scene.split.blocks.size();
    if (lists == 0) {
        return;
    }
    if (lists != 1 && lists != static_cast<std::size_t>(network.clusters)) {
        in.reject("split.blocks", std::to_string(lists) + " lists for " + std::to_string(network.clusters) +
                                      " clusters; even, one list, or one for each cluster, is accepted");
    }
    for (int cluster = 0; cluster < network.clusters; ++cluster) {
        const auto index = static_cast<std::size_t>(cluster);
        const auto& counts = scene.split.blocks[lists == 1 ? 0 : index];
        const int clients = network.clients[network.clients.size() == 1 ? 0 : index];
        const auto stages = scene.scheme == scheme_kind::hfsl
                                ? static_cast<std::size_t>(clients) + (scene.cluster.edge_stage ? 1 : 0)
                                : std::size_t{is_alone(scene.scheme) ? 1U : 2U};
        const auto sum = std::accumulate(counts.begin(), counts.end(), 0);
        if (counts.size() != stages || sum != scene.model.depth) {
            in.reject("split.blocks", "cluster " + std::to_string(cluster) + " has " + std::to_string(stages) +
                                          " stages and the model " + std::to_string(scene.model.depth) +
                                          " blocks, but " + std::to_string(counts.size()) + " counts with sum " +
                                          std::to_string(sum) + " are given");
        }
    }
}

} // namespace gaisnet
