#include "network/topology.hpp"

#include "base/error.hpp"
#include "network/clustering.hpp"
#include "network/doubtful_figures.hpp"
#include "network/linking.hpp"
#include "network/overrides.hpp"
#include "network/placing.hpp"
#include "network/splitting.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace gaisnet {

namespace {

device_model draw_device(const device_settings& settings, const scenario& scene, const std::string& name) {
    const auto draw = [&](const distribution& value, const char* purpose) {
        random_stream stream(scene.seed, purpose, name);
        return value.draw(stream);
    };
    device_model device;
    if (settings.frequency) {
        const double frequency = draw(*settings.frequency, "device.frequency");
        device.rate_flop_s = frequency * settings.flops_per_cycle;
        device.power_w = dynamic_power_w(settings.kappa.value_or(0.0), frequency);
    } else {
        device.rate_flop_s = draw(settings.rate, "device.rate");
        device.power_w = draw(settings.power, "device.power");
    }
    device.rate_flop_s *= draw(settings.efficiency, "device.efficiency");
    device.factor = draw(settings.factor, "device.factor");
    if (settings.sleep_power) {
        device.sleep_power_w = draw(*settings.sleep_power, "device.sleep_power");
    }
    if (settings.battery) {
        device.battery_j = draw(*settings.battery, "device.battery");
    }
    device.tx_power_w = draw(settings.tx_power, "device.tx_power");
    device.radio = {draw(settings.amplifier_efficiency, "device.amplifier_efficiency"),
                    draw(settings.circuit_power, "device.circuit_power"), draw(settings.rx_power, "device.rx_power"),
                    draw(settings.idle_power, "device.idle_power")};
    device.base_power_w = draw(settings.base_power, "device.base_power");
    device.memory_bytes = static_cast<std::uint64_t>(draw(settings.memory, "device.memory"));
    device.sense_time_s = scene.sense.time;
    device.sense_energy_j = scene.sense.energy;
    return device;
}

/// Applies the values of network.file to a node.
void apply(const node_override& given, device_model& device) {
    device.rate_flop_s = given.rate.value_or(device.rate_flop_s);
    device.power_w = given.power.value_or(device.power_w);
    device.tx_power_w = given.tx_power.value_or(device.tx_power_w);
    device.radio.amplifier_efficiency = given.amplifier_efficiency.value_or(device.radio.amplifier_efficiency);
    device.radio.circuit_w = given.circuit_power.value_or(device.radio.circuit_w);
    device.radio.receive_w = given.rx_power.value_or(device.radio.receive_w);
    device.radio.idle_w = given.idle_power.value_or(device.radio.idle_w);
    device.base_power_w = given.base_power.value_or(device.base_power_w);
    device.battery_j = given.battery.value_or(device.battery_j);
    if (given.sleep_power) {
        device.sleep_power_w = given.sleep_power;
    }
    if (given.memory) {
        device.memory_bytes = static_cast<std::uint64_t>(*given.memory);
    }
}

/// The clients of an edge as the scenario groups them, cluster by cluster.
std::vector<client_home> homes_of(const scenario& scene, int edge) {
    const std::string prefix = scene.network.edges > 1 ? "e" + std::to_string(edge) + "." : "";
    const auto& listed = scene.network.overrides.clients;
    const auto& sizes = scene.network.clients;
    std::vector<client_home> homes;
    for (int index = 0; index < scene.network.clusters; ++index) {
        const auto group = prefix + "c" + std::to_string(index);
        const auto add = [&](std::string name) {
            homes.push_back({std::move(name), edge, index, group, homes.size(), 0});
        };
        if (!listed.empty()) {
            for (const auto& name : listed.at(static_cast<std::size_t>(edge)).at(static_cast<std::size_t>(index))) {
                add(name);
            }
            continue;
        }
        const int size = sizes.size() == 1 ? sizes[0] : sizes.at(static_cast<std::size_t>(index));
        for (int member = 0; member < size; ++member) {
            add(group + "." + std::to_string(member));
        }
    }
    for (auto& home : homes) {
        home.of = homes.size();
    }
    return homes;
}

/// Who exists, who is with whom, and where everybody is: nodes, clusters and the radio map of a topology.
class population {
public:
    population(const scenario& scene, const override_index& overrides)
        : scene_(scene)
        , overrides_(overrides)
        , placing_(scene, overrides) {}

    void make(topology& net) {
        for (int edge = 0; edge < net.edges; ++edge) {
            const auto name = "edge" + std::to_string(edge);
            add({name, node_role::edge, edge, -1, -1, device_of(name, node_role::edge)}, placing_.of_edge(edge, name),
                net);
        }
        for (int edge = 0; edge < net.edges; ++edge) {
            add_clusters(edge, net);
        }
        if (scene_.cloud.period > 0) {
            net.cloud = static_cast<std::uint32_t>(net.nodes.size());
            add({"cloud", node_role::cloud, -1, -1, -1, device_of("cloud", node_role::cloud)},
                {placing_.of_cloud("cloud")}, net);
        }
        net.radio = std::make_shared<radio_map>(scene_.seed, scene_.mobility.step, std::move(sites_));
    }

private:
    device_model device_of(const std::string& name, node_role role) const {
        const auto& devices = scene_.device;
        auto device = draw_device(role == node_role::client ? devices.client
                                  : role == node_role::edge ? devices.edge
                                                            : devices.cloud,
                                  scene_, name);
        if (const auto* said = overrides_.node(name)) {
            if (said->battery && role != node_role::client) {
                throw usage_error("network.file: " + name + ": only a client has a battery");
            }
            apply(*said, device);
        }
        return device;
    }

    void add(node member, std::vector<trajectory> antennas, topology& net) {
        if (!names_.insert(member.name).second) {
            throw usage_error("network.file: two nodes have the name " + member.name);
        }
        auto& site = sites_.emplace_back(radio_site{member.name, std::move(antennas), {}});
        for (const auto kind : {link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul}) {
            site.radiated_w[static_cast<std::size_t>(kind)] = radiated_w(scene_, member, kind);
        }
        net.nodes.push_back(std::move(member));
    }

    void add_clusters(int edge, topology& net) {
        const auto homes = homes_of(scene_, edge);
        std::vector<device_model> devices;
        std::vector<trajectory> paths;
        for (const auto& home : homes) {
            devices.push_back(device_of(home.name, node_role::client));
            paths.push_back(placing_.of_client(home));
        }
        std::vector<clustering_candidate> candidates;
        for (std::size_t i = 0; i < homes.size(); ++i) {
            candidates.push_back({&homes[i], &devices[i], paths[i].at(0.0)});
        }
        const std::string prefix = net.edges > 1 ? "e" + std::to_string(edge) + "." : "";
        int place = 0;
        for (const auto& members : make_clusters({scene_, edge, candidates})) {
            const auto number = static_cast<int>(net.clusters.size());
            cluster group{prefix + "c" + std::to_string(place), edge, place, {}, {}};
            ++place;
            int position = 0;
            for (const auto client : members) {
                group.clients.push_back(static_cast<std::uint32_t>(net.nodes.size()));
                add({homes[client].name, node_role::client, edge, number, position++, devices[client]}, {paths[client]},
                    net);
            }
            group.chain = make_chain(scene_, net.nodes, group, number);
            net.clusters.push_back(std::move(group));
        }
    }

    const scenario& scene_;
    const override_index& overrides_;
    placing placing_;
    std::set<std::string> names_;
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
    for (const auto& [name, said] : overrides.nodes()) {
        if (!node_named.contains(name)) {
            throw usage_error("network.file: there is no node " + name +
                              (name == "cloud" ? ", since cloud.period is 0" : like));
        }
    }
    for (const auto& [ends, said] : overrides.links()) {
        // Inference sends nothing upstream, but the same file may also be used for fine-tuning.
        const bool of_training = scene.service == service_kind::inference && node_named.contains(ends.first) &&
                                 node_named.contains(ends.second);
        if (!link_names.contains(ends.first + "->" + ends.second) && !of_training) {
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

topology make_topology(const scenario& scene, const backward_hops& backward) {
    const override_index overrides(scene.network.overrides);
    topology net;
    net.edges = scene.network.edges;
    population(scene, overrides).make(net);
    add_links(net, scene, overrides, backward);
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
