#include "network/topology.hpp"

#include "base/error.hpp"
#include "network/clustering.hpp"
#include "network/doubtful_figures.hpp"
#include "network/linking.hpp"
#include "network/overrides.hpp"
#include "network/population.hpp"
#include "network/splitting.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace gaisnet {

namespace {

/// Adds nodes, clusters and the radio map to a topology.
class assembly {
public:
    assembly(const scenario& scene, topology& net, const topology_options& options)
        : scene_(scene)
        , net_(net)
        , options_(options) {}

    void make(const population& all, const formed_clusters& formed) {
        for (std::size_t edge = 0; edge < all.edges.size(); ++edge) {
            add(all.edges[edge], node_role::edge, static_cast<int>(edge), -1, -1);
        }
        const auto order = options_.numbered_as ? as_numbered(all) : by_cluster(all, formed);
        std::vector<std::vector<std::uint32_t>> numbers(all.clients.size()); // by edge and client
        for (std::size_t edge = 0; edge < all.clients.size(); ++edge) {
            numbers[edge].resize(all.clients[edge].size());
        }
        for (const auto& [edge, client] : order) {
            numbers[edge][client] = static_cast<std::uint32_t>(net_.nodes.size());
            add(all.clients[edge][client], node_role::client, static_cast<int>(edge), -1, -1);
        }
        for (std::size_t edge = 0; edge < all.edges.size(); ++edge) {
            add_clusters(static_cast<int>(edge), numbers[edge], formed.at(edge));
        }
        if (all.cloud) {
            net_.cloud = static_cast<std::uint32_t>(net_.nodes.size());
            add(*all.cloud, node_role::cloud, -1, -1, -1);
        }
        net_.radio = std::make_shared<radio_map>(scene_.seed, scene_.mobility.step, std::move(sites_));
    }

private:
    void add(const candidate& who, node_role role, int edge, int cluster, int member) {
        node made{who.name, role, edge, cluster, member, who.device, who.tuning_size};
        auto& site = sites_.emplace_back(radio_site{made.name, who.antennas, {}});
        for (const auto kind : {link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul}) {
            site.radiated_w[static_cast<std::size_t>(kind)] = radiated_w(scene_, made, kind);
        }
        net_.nodes.push_back(std::move(made));
    }

    using place_of_client = std::pair<std::size_t, std::size_t>; ///< Edge, and number among its clients.

    std::vector<place_of_client> by_cluster(const population& all, const formed_clusters& formed) const {
        std::vector<place_of_client> order, spares;
        for (std::size_t edge = 0; edge < all.clients.size(); ++edge) {
            std::vector<bool> taken(all.clients[edge].size(), false);
            for (const auto& one : formed.at(edge)) {
                for (const auto client : one.clients) {
                    order.emplace_back(edge, client);
                    taken.at(client) = true;
                }
            }
            for (std::size_t client = 0; client < taken.size() && options_.spares; ++client) {
                if (!taken[client]) {
                    spares.emplace_back(edge, client);
                }
            }
        }
        order.insert(order.end(), spares.begin(), spares.end());
        return order;
    }

    std::vector<place_of_client> as_numbered(const population& all) const {
        std::unordered_map<std::string, place_of_client> known;
        for (std::size_t edge = 0; edge < all.clients.size(); ++edge) {
            for (std::size_t client = 0; client < all.clients[edge].size(); ++client) {
                known.emplace(all.clients[edge][client].name, place_of_client{edge, client});
            }
        }
        std::vector<place_of_client> order;
        for (const auto& one : options_.numbered_as->nodes) {
            if (one.role == node_role::client) {
                order.push_back(known.at(one.name));
            }
        }
        return order;
    }

    void add_clusters(int edge, const std::vector<std::uint32_t>& numbers, const std::vector<formed_cluster>& formed) {
        const std::string prefix = net_.edges > 1 ? "e" + std::to_string(edge) + "." : "";
        int place = 0;
        for (const auto& one : formed) {
            const auto number = static_cast<int>(net_.clusters.size());
            cluster group{prefix + "c" + std::to_string(place), edge, place, {}, {}};
            ++place;
            int position = 0;
            for (const auto client : one.clients) {
                group.clients.push_back(numbers[client]);
                net_.nodes[numbers[client]].cluster = number;
                net_.nodes[numbers[client]].member = position++;
            }
            group.chain = make_chain(scene_, net_.nodes, group, one);
            net_.clusters.push_back(std::move(group));
        }
    }

    const scenario& scene_;
    topology& net_;
    const topology_options& options_;
    std::vector<radio_site> sites_;
};

/// Rejects names in network.file and in a file of movements that no node or link has.
void check_names(const scenario& scene, const topology& net, const override_index& overrides) {
    std::unordered_map<std::string, const node*> node_named;
    for (const auto& member : net.nodes) {
        node_named.emplace(member.name, &member);
    }
    std::set<std::string> link_names;
    for (const auto& link : net.links) {
        link_names.insert(link.parameters.name);
    }
    const auto& first_client = net.nodes[net.clusters.front().clients.front()].name;
    const auto& last_client = net.nodes[net.clusters.back().clients.back()].name;
    const auto like = "; names are like " + net.nodes.front().name + " and " + last_client;
    // A planner has seen all clients, and may have left some out.
    const bool chosen = scene.cluster.planned || scene.cluster.policy != "given";
    for (const auto& [name, said] : overrides.nodes()) {
        if (!node_named.contains(name) && !said->edge && !chosen) {
            throw usage_error("network.file: there is no node " + name +
                              (name == "cloud" ? ", since cloud.period is 0" : like));
        }
    }
    for (const auto& [ends, said] : overrides.links()) {
        // Inference sends nothing upstream, but the same file may also be used for fine-tuning.
        const bool of_training = scene.service == service_kind::inference && node_named.contains(ends.first) &&
                                 node_named.contains(ends.second);
        if (!link_names.contains(ends.first + "->" + ends.second) && !of_training && !chosen) {
            throw usage_error("network.file: nothing is sent from " + ends.first + " to " + ends.second);
        }
    }
    for (const auto& loss : scene.dropout.schedule) {
        const auto found = node_named.find(loss.client);
        if (found == node_named.end() || found->second->role != node_role::client) {
            throw usage_error("dropout.schedule: there is no client " + loss.client + "; names are like " +
                              first_client + " and " + last_client);
        }
    }
    for (const auto& [name, points] : scene.mobility.paths ? *scene.mobility.paths : recorded_paths()) {
        if (!node_named.contains(name)) {
            throw usage_error("mobility.file: there is no node " + name + like);
        }
    }
}

} // namespace

const link_settings& settings_of(const scenario& scene, link_class kind) {
    switch (kind) {
    case link_class::cs_up: return scene.link.cs_up;
    case link_class::cs_down: return scene.link.cs_down;
    case link_class::d2d: return scene.link.d2d;
    case link_class::backhaul:
    case link_class::none: break;
    }
    return scene.link.backhaul;
}

double network_link::fastest_rate() const {
    return trace ? *std::max_element(trace->bits_per_second.begin(), trace->bits_per_second.end()) : rate_bit_s;
}

const network_link* topology::link_between(std::uint32_t from, std::uint32_t to) const {
    const auto found = std::find_if(links.begin(), links.end(), [&](const network_link& one) {
        return one.parameters.from == from && one.parameters.to == to;
    });
    return found == links.end() ? nullptr : &*found;
}

topology make_topology(const scenario& scene, const population& all, const formed_clusters& formed,
                       const backward_hops& backward, const topology_options& options) {
    const override_index overrides(scene.network.overrides);
    topology net;
    net.edges = scene.network.edges;
    assembly(scene, net, options).make(all, formed);
    add_links(net, scene, overrides, backward, options.at_s);
    return net;
}

topology make_topology(const scenario& scene, const backward_hops& backward) {
    const override_index overrides(scene.network.overrides);
    const auto all = make_population(scene, overrides);
    auto net = make_topology(scene, all, form_clusters(scene, all), backward);
    net.warnings = doubtful_figures(scene, net);
    check_names(scene, net, overrides);
    return net;
}

double radiated_w(const scenario& scene, const node& who, link_class kind) {
    const auto& settings = settings_of(scene, kind);
    if (!settings.tx_power) {
        return who.device.tx_power_w;
    }
    random_stream stream(scene.seed, "link.tx_power", who.name);
    return settings.tx_power->draw(stream);
}

} // namespace gaisnet
