#include "network/network_file.hpp"

#include "network/clustering.hpp"
#include "network/overrides.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <utility>

namespace gaisnet {

namespace {

using json = nlohmann::ordered_json;

/// The shortest text that parses to exactly the same number.
std::string exactly(double value, const char* unit) { return fmt::format("{}{}{}", value, *unit ? " " : "", unit); }

} // namespace

std::string network_file_text(const scenario& scene, const topology& net) {
    // One entry per line, which is more readable than either format of the library.
    std::string clusters, nodes, links;
    const auto add = [](std::string& list, const json& entry) {
        list += (list.empty() ? "\n    " : ",\n    ") + entry.dump();
    };
    const override_index said(scene.network.overrides);
    const auto formed = form_clusters(scene);
    for (const auto& group : net.clusters) {
        json names = json::array();
        for (const auto client : group.clients) {
            names.push_back(net.nodes[client].name);
        }
        json entry{{"edge", net.nodes[group.edge].name}, {"clients", names}};
        const auto& as = formed[static_cast<std::size_t>(group.edge)][static_cast<std::size_t>(group.place)];
        if (!as.blocks.empty()) {
            entry["blocks"] = as.blocks;
        }
        if (as.edge_blocks > 0) {
            entry["edge_blocks"] = as.edge_blocks;
        }
        add(clusters, entry);
    }
    const auto node_entry = [&](const std::string& name, const device_model& device, position place) {
        json entry{{"name", name},
                   {"position", {exactly(place.x, "m"), exactly(place.y, "m")}},
                   {"rate", exactly(device.rate_flop_s, "FLOP/s")},
                   {"power", exactly(device.power_w, "W")},
                   {"tx_power", exactly(device.tx_power_w, "W")},
                   {"amplifier_efficiency", exactly(device.radio.amplifier_efficiency, "")},
                   {"circuit_power", exactly(device.radio.circuit_w, "W")},
                   {"rx_power", exactly(device.radio.receive_w, "W")},
                   {"idle_power", exactly(device.radio.idle_w, "W")},
                   {"base_power", exactly(device.base_power_w, "W")},
                   {"memory", exactly(static_cast<double>(device.memory_bytes), "B")}};
        if (device.sleep_power_w) {
            entry["sleep_power"] = exactly(*device.sleep_power_w, "W");
        }
        if (std::isfinite(device.battery_j)) {
            entry["battery"] = exactly(device.battery_j, "J");
        }
        if (const auto* given = said.node(name)) {
            const std::pair<const char*, std::optional<double>> figures[] = {{"samples", given->samples},
                                                                             {"label_noise", given->label_noise},
                                                                             {"blur", given->blur},
                                                                             {"noise", given->noise}};
            for (const auto& [key, value] : figures) {
                if (value) {
                    entry[key] = exactly(*value, "");
                }
            }
        }
        return entry;
    };
    for (std::uint32_t i = 0; i < net.nodes.size(); ++i) {
        const auto& one = net.nodes[i];
        auto entry = node_entry(one.name, one.device, net.radio->place(i, 0.0));
        const auto* given = said.node(one.name);
        if (one.role == node_role::client && (!scene.tuning.rank.fixed() || (given && given->rank))) {
            entry["rank"] = exactly(static_cast<double>(one.tuning_size), "");
        }
        if (one.role == node_role::client && one.cluster < 0) {
            entry["edge"] = net.nodes[one.edge].name;
        }
        add(nodes, entry);
    }
    for (const auto& link : net.links) {
        const auto& one = link.parameters;
        json entry{{"from", net.nodes[one.from].name}, {"to", net.nodes[one.to].name}};
        if (!link.by_radio && !link.trace) {
            entry["rate"] = exactly(link.rate_bit_s, "bit/s");
        }
        entry["latency"] = exactly(one.latency_s, "s");
        if (!one.wired_j_bit) {
            entry["bandwidth"] = exactly(one.bandwidth_hz, "Hz");
        }
        entry["loss"] = exactly(one.loss, "");
        add(links, entry);
    }
    return "{\n  \"clusters\": [" + clusters + "\n  ],\n  \"nodes\": [" + nodes + "\n  ],\n  \"links\": [" + links +
           "\n  ]\n}\n";
}

} // namespace gaisnet
