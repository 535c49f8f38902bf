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

namespace {

template <typename Work>
void add_work(node_row& row, const Work& more) {
    row.busy_s += more.busy_s;
    row.flops += more.flops;
    row.sense_j += more.sense_j;
    row.compute_j += more.compute_j;
    row.transmit_j += more.transmit_j;
    row.receive_j += more.receive_j;
    row.idle_j += more.idle_j;
    row.sleep_j += more.sleep_j;
    row.bytes_sent += more.bytes_sent;
    row.bytes_received += more.bytes_received;
}

} // namespace

void add(node_row& row, const node_account& account) { add_work(row, account); }

void add(node_row& row, const node_row& more) { add_work(row, more); }

} // namespace gaisnet
