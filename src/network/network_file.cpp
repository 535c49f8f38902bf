#include "network/network_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace gaisnet {

namespace {

using json = nlohmann::ordered_json;

/// The shortest text that parses to exactly the same number.
std::string exactly(double value, const char* unit) { return fmt::format("{}{}{}", value, *unit ? " " : "", unit); }

} // namespace

std::string network_file_text(const topology& net) {
    // One entry per line, which is more readable than either format of the library.
    std::string clusters, nodes, links;
    const auto add = [](std::string& list, const json& entry) {
        list += (list.empty() ? "\n    " : ",\n    ") + entry.dump();
    };
    for (const auto& group : net.clusters) {
        json names = json::array();
        for (const auto client : group.clients) {
            names.push_back(net.nodes[client].name);
        }
        add(clusters, {{"edge", net.nodes[group.edge].name}, {"clients", names}});
    }
    for (std::uint32_t i = 0; i < net.nodes.size(); ++i) {
        const auto& device = net.nodes[i].device;
        const auto place = net.radio->place(i, 0.0);
        json entry{{"name", net.nodes[i].name},
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
