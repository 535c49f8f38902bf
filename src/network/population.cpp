#include "network/population.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "scenario/scenario.hpp"

#include <algorithm>
#include <functional>
#include <set>
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

/// What rank_by looks at.
double budget_of(const scenario& scene, const device_model& device) {
    if (scene.tuning.rank_by == rank_order::memory) {
        return static_cast<double>(device.memory_bytes);
    }
    return scene.computing == compute_model::measured ? device.factor : device.rate_flop_s;
}

/// Ranks are drawn by name. With rank_by the larger ones of those go to the larger devices; equal devices keep their order.
void draw_tuning_sizes(const scenario& scene, const override_index& overrides, std::vector<candidate>& clients) {
    std::vector<candidate*> drawn;
    std::vector<std::int64_t> sizes;
    for (auto& client : clients) {
        random_stream stream(scene.seed, "tuning.rank", client.name);
        client.tuning_size = scene.tuning.rank.draw(stream);
        if (const auto* said = overrides.node(client.name); said && said->rank) {
            client.tuning_size = static_cast<std::int64_t>(*said->rank);
            continue;
        }
        drawn.push_back(&client);
        sizes.push_back(client.tuning_size);
    }
    if (scene.tuning.rank_by == rank_order::draw) {
        return;
    }
    std::sort(sizes.begin(), sizes.end(), std::greater<>());
    std::stable_sort(drawn.begin(), drawn.end(), [&](const candidate* a, const candidate* b) {
        return budget_of(scene, a->device) > budget_of(scene, b->device);
    });
    for (std::size_t i = 0; i < drawn.size(); ++i) {
        drawn[i]->tuning_size = sizes[i];
    }
}

/// The clients of an edge as the scenario groups them, cluster by cluster.
std::vector<client_home> homes_of(const scenario& scene, int edge) {
    const std::string prefix = scene.network.edges > 1 ? "e" + std::to_string(edge) + "." : "";
    const auto& overrides = scene.network.overrides;
    const auto& sizes = scene.network.clients;
    std::vector<client_home> homes;
    for (int index = 0; index < listed_clusters(scene.network, edge); ++index) {
        const auto group = prefix + "c" + std::to_string(index);
        const auto add = [&](std::string name) {
            homes.push_back({std::move(name), edge, index, group, homes.size(), 0});
        };
        if (!overrides.clusters.empty()) {
            for (const auto& name :
                 overrides.clusters[static_cast<std::size_t>(edge)][static_cast<std::size_t>(index)].clients) {
                add(name);
            }
            continue;
        }
        const int size = sizes.size() == 1 ? sizes[0] : sizes.at(static_cast<std::size_t>(index));
        for (int member = 0; member < size; ++member) {
            add(group + "." + std::to_string(member));
        }
    }
    for (const auto& spare : overrides.nodes) {
        if (spare.edge == edge) {
            homes.push_back({spare.name, edge, -1, prefix + "spare", homes.size(), 0});
        }
    }
    for (auto& home : homes) {
        home.of = homes.size();
    }
    return homes;
}

} // namespace

population make_population(const scenario& scene, const override_index& overrides) {
    const placing places(scene, overrides);
    std::set<std::string> names;
    const auto make = [&](const std::string& name, node_role role, std::vector<trajectory> antennas) {
        if (!names.insert(name).second) {
            throw usage_error("network.file: two nodes have the name " + name);
        }
        const auto& devices = scene.device;
        auto device = draw_device(role == node_role::client ? devices.client
                                  : role == node_role::edge ? devices.edge
                                                            : devices.cloud,
                                  scene, name);
        if (const auto* said = overrides.node(name)) {
            if (said->battery && role != node_role::client) {
                throw usage_error("network.file: " + name + ": only a client has a battery");
            }
            if (said->rank && role != node_role::client) {
                throw usage_error("network.file: " + name + ": only a client has a rank; its edge has the largest");
            }
            apply(*said, device);
        }
        return candidate{name, device, std::move(antennas), {}};
    };
    population all;
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        const auto name = "edge" + std::to_string(edge);
        all.edges.push_back(make(name, node_role::edge, places.of_edge(edge, name)));
    }
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        auto& clients = all.clients.emplace_back();
        for (auto& home : homes_of(scene, edge)) {
            clients.push_back(make(home.name, node_role::client, {places.of_client(home)}));
            clients.back().home = std::move(home);
        }
        draw_tuning_sizes(scene, overrides, clients);
    }
    if (scene.cloud.period > 0) {
        all.cloud = make("cloud", node_role::cloud, {places.of_cloud("cloud")});
    }
    return all;
}

std::int64_t largest_tuning_size(const scenario& scene) {
    const auto& said = scene.network.overrides.nodes;
    const auto fixed = scene.tuning.rank.fixed();
    if (fixed &&
        std::none_of(said.begin(), said.end(), [](const node_override& one) { return one.rank.has_value(); })) {
        return *fixed;
    }
    std::int64_t largest = 1;
    for (const auto& clients : make_population(scene, override_index(scene.network.overrides)).clients) {
        for (const auto& one : clients) {
            largest = std::max(largest, one.tuning_size);
        }
    }
    return largest;
}

} // namespace gaisnet
