#include "rounds/ledger_rows.hpp"
#include "rounds/ledger_run.hpp"

#include <algorithm>

namespace gaisnet {

/// Plays a federation between rounds: every edge joins when its own round has ended and continues when it has the
/// average. Nothing else uses the backhaul, so this is exact although each edge's round was played separately.
void ledger_run::federate(round_forecast& out, round_decisions& decided) {
    const auto cloud = *deploy_.net.cloud;
    const auto before = clocks_;
    const auto round = out.rounds.front().round;
    const double start = *std::min_element(before.begin(), before.end());
    cast_.begin_round({static_cast<int>(round), {}});
    ledger_.begin_round(round, start);
    average_expectation expected;
    expected.elements = deploy_.domains.front().shared_elements;
    expected.clusters_wanted = before.size() + 1;
    for (std::size_t edge = 0; edge < before.size(); ++edge) {
        expected.contributions[static_cast<int>(edge)] = 1;
    }
    ledger_pass pass(ledger_, emulated_.names(), {{cloud, std::move(expected)}});
    std::vector<sent_message> sent;
    if (!rank_of_.empty()) {
        pass.record([&](const channel& route) { return rank_of_[route.from] != rank_of_[route.to]; }, sent);
    }
    std::map<channel, std::vector<double>> arrivals;
    if (deploy_.scene->clock == clock_kind::real) {
        pass.record_arrivals(arrivals);
    }
    pass.spawn(cloud, cast_.cloud()->federate(pass));
    for (auto& edge : cast_.edges()) {
        pass.spawn(edge.me.node, edge.federate(pass), before[edge.me.node]);
    }
    pass.run();

    const auto& events = ledger_.events();
    federation_row row{round, start, 0, 0, 0, 0};
    double first_arrival = never, last_arrival = 0;
    for (const auto& event : events) {
        if (event.kind == event_kind::send_modules_up) {
            first_arrival = std::min(first_arrival, event.arrival_s);
            last_arrival = std::max(last_arrival, event.arrival_s);
        }
    }
    row.waited_s = last_arrival - first_arrival;
    for (auto& edge_row : out.rounds) {
        const auto edge = edge_row.edge;
        const auto last = cast_.edges()[edge].me.cause;
        clocks_[edge] = events[last].arrival_s;
        const double cloud_s = clocks_[edge] - before[edge];
        edge_row.parts["cloud"] = cloud_s;
        edge_row.latency_s += cloud_s;
        edge_row.end_s = clocks_[edge];
        row.end_s = std::max(row.end_s, clocks_[edge]);
        double on_the_way = 0;
        for (const auto& part : critical_parts(events, last)) {
            const auto& event = events[part.event];
            const double seconds = std::min(part.seconds, cloud_s - on_the_way);
            out.critical.push_back({event.node, event.peer, event.link, event.kind, seconds});
            on_the_way += seconds;
        }
        if (cloud_s > on_the_way) { // it also waited for an edge that is later
            out.critical.push_back({edge, edge, link_class::none, event_kind::wait, cloud_s - on_the_way});
        }
        for (const auto& event : events) {
            if (event.receivers > 0 && (event.node == edge || event.peer == edge)) {
                edge_row.bytes[static_cast<std::size_t>(event.link)] += event.bytes;
                edge_row.airtime_hz_s[static_cast<std::size_t>(event.link)] += event.airtime_hz_s;
            }
        }
    }
    for (auto& node : out.nodes) { // all nodes but the cloud are idle meanwhile
        const auto edge = static_cast<std::size_t>(deploy_.net.nodes[node.node].edge);
        if (battery_j_[node.node] <= 0.0) {
            ledger_.switch_off(node.node, before[edge]);
        }
        ledger_.close_round(std::span(&node.node, 1), before[edge], clocks_[edge]);
        const auto& account = ledger_.account(node.node);
        add(node, account);
        const auto memory = pass.memory(node.node).peak;
        node.temporary_bytes = std::max(node.temporary_bytes, memory);
        node.total_bytes = std::max(node.total_bytes, resident_bytes_[node.node] + memory);
        (node.node == edge ? out.rounds[edge].edge_flops : out.rounds[edge].client_flops) += account.flops;
        out.rounds[edge].energy += account;
        battery_j_[node.node] = std::max(0.0, battery_j_[node.node] - account.total_j());
        node.battery_j = battery_j_[node.node];
    }
    ledger_.close_round(std::span(&cloud, 1), cloud_clock_, row.end_s);
    cloud_clock_ = row.end_s;
    node_row of_cloud;
    of_cloud.node = cloud;
    of_cloud.round = round;
    of_cloud.battery_j = never;
    add(of_cloud, ledger_.account(cloud));
    of_cloud.temporary_bytes = pass.memory(cloud).peak;
    of_cloud.backbone_bytes = backbone_bytes_[cloud];
    of_cloud.total_bytes = resident_bytes_[cloud] + of_cloud.temporary_bytes;
    row.flops = of_cloud.flops;
    row.energy_j = of_cloud.total_j();
    out.nodes.push_back(of_cloud);
    out.federation = row;
    append_events(deploy_, events, out.events);

    // In real time the rounds of all edges start together, so the last edge joins at the end of the slowest round.
    const double shift = decided.latency_s - *std::max_element(before.begin(), before.end());
    for (const auto& [route, times] : arrivals) {
        for (const double time : times) {
            decided.arrivals[route].push_back(time + shift);
        }
    }
    decided.closes[cloud] = pass.closing(cloud).closed_s + shift;
    decided.latency_s = row.end_s + shift;
    decided.federates = true;
    decided.averages.push_back(cloud);
    if (!rank_of_.empty()) {
        decided.exchanges.push_back({{}, {}, static_cast<int>(cloud)});
        for (auto& one : sent) {
            decided.exchanges.push_back({one.route, std::move(one.shape)});
        }
    }
}

} // namespace gaisnet
