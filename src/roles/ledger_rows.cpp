#include "roles/ledger_rows.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace gaisnet {

void append_events(const deployment& deploy, std::span<const ledger_event> events, std::vector<event_row>& out) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (!events[i].dropped) {
            order.push_back(i);
        }
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return events[a].start_s < events[b].start_s; });
    for (const auto index : order) {
        auto& event = out.emplace_back(events[index]);
        if (event.receivers > 0 && settings_of(*deploy.scene, event.link).radio) {
            event.distance_m = deploy.net.radio->distance(event.node, event.peer, event.start_s);
        }
    }
}

std::vector<std::uint64_t> frozen_bytes(const deployment& deploy) {
    std::vector<std::uint64_t> bytes(deploy.net.nodes.size(), 0);
    std::vector<std::set<std::string>> held(deploy.net.nodes.size());
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            for (const auto& tensor : seat.spec.frozen()) {
                if (held[seat.node].insert(tensor.name).second) {
                    bytes[seat.node] += static_cast<std::uint64_t>(tensor.elements()) * sizeof(float);
                }
            }
        }
    }
    return bytes;
}

void add(node_row& row, const node_account& account) {
    row.busy_s += account.busy_s;
    row.flops += account.flops;
    row.sense_j += account.sense_j;
    row.compute_j += account.compute_j;
    row.transmit_j += account.transmit_j;
    row.receive_j += account.receive_j;
    row.idle_j += account.idle_j;
    row.sleep_j += account.sleep_j;
    row.bytes_sent += account.bytes_sent;
    row.bytes_received += account.bytes_received;
}

} // namespace gaisnet
