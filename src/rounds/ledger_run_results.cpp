#include "rounds/ledger_rows.hpp"
#include "rounds/ledger_run.hpp"

#include <algorithm>

namespace gaisnet {

void ledger_run::report(const edge_round& played, const round_plan& plan, round_forecast& out,
                        exchange_order& exchanges) {
    const auto& events = ledger_.events();
    const auto edge = played.edge;
    const auto& done = played.closing.done;
    for (const auto& sent : played.between_ranks) {
        const auto& from = deploy_.net.nodes[sent.route.from];
        const auto& to = deploy_.net.nodes[sent.route.to];
        if (!done.contains(sent.cluster >= 0 ? sent.cluster : std::max(from.cluster, to.cluster))) {
            continue;
        }
        const double begin = sent.event < 0 ? sent.sent_at : events[sent.event].start_s;
        exchange_place where{sent.cluster, sent.batch};
        if (sent.cluster >= 0 && sent.batch >= 0) {
            const auto& batches = deploy_.plans[sent.cluster];
            where.size = batches.batch_at((plan.round - 1) * batches.batches_a_round + sent.batch).of;
            where.stage = sent.route.stage - deploy_.chains[sent.cluster].front().number;
        }
        exchanges.add({sent.route, sent.shape}, where, begin - played.start_s);
    }
    auto& decisions = out.decisions;
    for (const auto& [route, times] : played.arrivals) {
        const int cluster = std::max(deploy_.net.nodes[route.from].cluster, deploy_.net.nodes[route.to].cluster);
        if (done.contains(cluster)) {
            for (const double time : times) {
                decisions.arrivals[route].push_back(time - played.since_s);
            }
        }
    }
    decisions.closes[edge] = played.closing.closed_s - played.since_s;
    decisions.latency_s = std::max(decisions.latency_s, played.end_s - played.since_s);
    if (!done.empty()) {
        exchanges.add_average({{}, {}, static_cast<int>(edge)}, {done.begin(), done.end()},
                              played.end_s - played.start_s);
    }

    round_row row;
    row.edge = edge;
    row.round = static_cast<std::uint32_t>(plan.round);
    row.latency_s = played.end_s - played.start_s;
    row.end_s = played.end_s;
    row.parts = trace_back(events, played.last, edge);
    row.clusters_done = static_cast<std::uint32_t>(done.size());
    row.clusters_lost = static_cast<std::uint32_t>(played.closing.lost.size());
    std::uint32_t began = 0;
    for (std::size_t c = 0; c < deploy_.plans.size(); ++c) {
        if (deploy_.net.clusters[c].edge == static_cast<int>(edge) && !plan.fates[c].sits_out) {
            (plan.fates[c].plays ? began : row.clusters_lost) += 1U;
        }
    }
    row.clusters_cut = began - row.clusters_done - static_cast<std::uint32_t>(played.closing.lost.size());
    for (const int cluster : done) {
        row.clusters_repaired += plan.fate_of(cluster).takeovers.empty() ? 0U : 1U;
        row.samples += static_cast<std::uint64_t>(deploy_.plans[cluster].samples_in_round(plan.round));
    }
    for (const auto& event : events) {
        if (!event.dropped) {
            const auto link = static_cast<std::size_t>(event.link);
            row.bytes[link] += event.bytes;
            row.airtime_hz_s[link] += event.airtime_hz_s;
        }
    }
    const auto taken = taken_bytes(plan);
    for (std::size_t i = 0; i < played.members.size(); ++i) {
        const auto member = played.members[i];
        const auto& account = ledger_.account(member);
        const auto& who = deploy_.net.nodes[member];
        node_row node;
        node.node = member;
        node.round = row.round;
        add(node, account);
        node.battery_j = battery_j_[member];
        node.temporary_bytes = played.memory[i].peak;
        node.total_bytes = resident_bytes_[member] + node.temporary_bytes;
        if (const auto its = taken.find(member); its != taken.end()) {
            node.total_bytes += its->second;
        }
        node.backbone_bytes = backbone_bytes_[member];
        if (who.cluster >= 0) {
            const auto& fate = plan.fate_of(who.cluster);
            const bool lost = (!fate.plays && !fate.sits_out) || played.closing.lost.contains(who.cluster);
            const bool repaired_without = done.contains(who.cluster) && fate.loses(member);
            node.outcome = fate.sits_out                ? cluster_outcome::none
                           : lost || repaired_without   ? cluster_outcome::lost
                           : done.contains(who.cluster) ? cluster_outcome::done
                                                        : cluster_outcome::cut;
            if (who.member == 0 && done.contains(who.cluster)) {
                node.samples = static_cast<std::uint64_t>(deploy_.plans[who.cluster].samples_in_round(plan.round));
            }
        }
        (member == edge ? row.edge_flops : row.client_flops) += account.flops;
        row.energy += node;
        out.nodes.push_back(node);
    }
    out.rounds.push_back(row);
    for (const auto& part : critical_parts(events, played.last)) {
        const auto& event = events[part.event];
        out.critical.push_back({event.node, event.peer, event.link, event.kind, part.seconds});
    }
    append_events(deploy_, events, out.events);
}

void ledger_run::append_turn(round_forecast& round, round_forecast turn) {
    for (std::size_t i = 0; i < round.rounds.size(); ++i) {
        auto& sum = round.rounds[i];
        const auto& more = turn.rounds[i];
        sum.latency_s += more.latency_s;
        sum.parts += more.parts;
        sum.clusters_done += more.clusters_done;
        sum.clusters_cut += more.clusters_cut;
        sum.clusters_lost += more.clusters_lost;
        sum.clusters_repaired += more.clusters_repaired;
        sum.end_s = more.end_s;
        sum.samples += more.samples;
        static_cast<work_totals&>(sum) += more;
        sum.energy += more.energy;
    }
    for (std::size_t i = 0; i < round.nodes.size(); ++i) {
        auto& sum = round.nodes[i];
        const auto& more = turn.nodes[i];
        add(sum, more);
        sum.battery_j = more.battery_j;
        sum.outcome = more.outcome == cluster_outcome::none ? sum.outcome : more.outcome;
        sum.temporary_bytes = std::max(sum.temporary_bytes, more.temporary_bytes);
        sum.total_bytes = std::max(sum.total_bytes, more.total_bytes);
        sum.samples += more.samples;
    }
    round.events.insert(round.events.end(), turn.events.begin(), turn.events.end());
    round.critical.insert(round.critical.end(), turn.critical.begin(), turn.critical.end());
    round.decisions.turns.push_back(std::move(turn.decisions));
}

} // namespace gaisnet
