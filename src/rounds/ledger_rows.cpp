#include "rounds/ledger_rows.hpp"

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

std::vector<std::uint64_t> other_backbone_bytes(const deployment& deploy) {
    std::uint64_t all = 0;
    std::set<std::string> known;
    for (const auto& seat : deploy.chains.front()) {
        for (const auto& tensor : seat.spec.frozen()) {
            all += known.insert(tensor.name).second ? static_cast<std::uint64_t>(tensor.elements()) * sizeof(float) : 0;
        }
    }
    auto bytes = frozen_bytes(deploy);
    for (auto& held : bytes) {
        held = all - std::min(held, all);
    }
    return bytes;
}

namespace {

template <typename Work>
void add_work(node_row& row, const Work& more) {
    static_cast<energy_parts&>(row) += more;
    row.busy_s += more.busy_s;
    row.flops += more.flops;
    row.bytes_sent += more.bytes_sent;
    row.bytes_received += more.bytes_received;
}

} // namespace

void add(node_row& row, const node_account& account) { add_work(row, account); }

void add(node_row& row, const node_row& more) { add_work(row, more); }

} // namespace gaisnet
