#include "rounds/inference_ledger.hpp"

#include "model/shape_stage.hpp"
#include "roles/fusion.hpp"
#include "rounds/ledger_rows.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace gaisnet {

namespace {

/// Memory of weights and tunables, by node.
std::vector<std::uint64_t> resident_while_serving(const deployment& deploy) {
    auto bytes = frozen_bytes(deploy);
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            bytes[seat.node] += seat.spec.tunable_bytes();
        }
    }
    for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) {
        bytes[edge] += static_cast<std::uint64_t>(deploy.domain_of(edge).elements) * sizeof(float);
    }
    return bytes;
}

} // namespace

inference_ledger::inference_ledger(const deployment& deploy, std::vector<int> rank_of)
    : deploy_(deploy)
    , rank_of_(std::move(rank_of))
    , emulated_(*deploy.scene, deploy.net)
    , cast_(
          deploy, [](const stage_seat& seat) { return std::make_unique<shape_stage>(seat.spec); },
          [](std::uint32_t) { return true; })
    , backbone_bytes_(other_backbone_bytes(deploy))
    , resident_bytes_(resident_while_serving(deploy)) {}

inference_forecast inference_ledger::play(const inference_plan& session, int number, double start_s, int edge) {
    inference_forecast out;
    auto& accounts = emulated_.accounts();
    const auto round = static_cast<std::uint32_t>(number);
    emulated_.draw_channels(round);
    accounts.begin_round(round, start_s);
    cast_.begin_round({number, {}});
    ledger_pass pass(accounts, emulated_.names(), {});
    std::map<int, request_line> lines;
    for (std::size_t c = 0; c < session.lines.size(); ++c) {
        if (!session.lines[c].arrivals_s.empty()) {
            lines[static_cast<int>(c)] = session.lines[c];
        }
    }
    pass.serve(std::move(lines));
    std::vector<sent_message> sent;
    if (!rank_of_.empty()) {
        pass.record([&](const channel& route) { return rank_of_[route.from] != rank_of_[route.to]; }, sent);
    }
    auto& arrivals = out.decisions.arrivals;
    if (deploy_.scene->clock == clock_kind::real) {
        pass.record_arrivals(arrivals);
    }
    cast_.serve(pass, session);
    pass.run();
    for (auto& [route, times] : arrivals) {
        std::for_each(times.begin(), times.end(), [&](double& time) { time -= start_s; });
    }

    out.end_s.assign(static_cast<std::size_t>(deploy_.net.edges), start_s);
    for (std::size_t c = 0; c < session.lines.size(); ++c) {
        auto& batches = out.decisions.batches.emplace_back();
        if (session.lines[c].arrivals_s.empty()) {
            continue;
        }
        const auto& served = pass.served(static_cast<int>(c));
        auto& end = out.end_s[deploy_.net.clusters[c].edge];
        for (const auto& batch : served.batches) {
            batches.push_back(batch.requests);
            batches.back().taken_s = batch.taken_s - start_s;
            end = std::max(end, batch.answered_s);
        }
        out.decisions.latency_s = std::max(out.decisions.latency_s, end - start_s);
        add_requests(pass, static_cast<int>(c), round, out);
        add_shares(pass, static_cast<int>(c), out);
    }
    for (std::uint32_t node = 0; node < deploy_.net.nodes.size(); ++node) {
        const auto& member = deploy_.net.nodes[node];
        if (member.role == node_role::cloud || (edge >= 0 && member.edge != edge)) {
            continue; // this node has no part in the session, or nobody asks about it
        }
        accounts.close_round(std::span(&node, 1), start_s, out.end_s[member.edge]);
        auto& row = out.nodes.emplace_back();
        row.node = node;
        row.round = round;
        add(row, accounts.account(node));
        row.battery_j = std::max(0.0, member.device.battery_j - row.total_j());
        row.outcome = member.cluster >= 0 ? cluster_outcome::done : cluster_outcome::none;
        row.temporary_bytes = pass.memory(node).peak;
        row.cache_bytes = pass.memory(node).cached_peak;
        row.backbone_bytes = backbone_bytes_[node];
        row.total_bytes = resident_bytes_[node] + row.temporary_bytes;
        if (member.cluster >= 0 && member.member == 0) {
            row.samples = static_cast<std::uint64_t>(session.requests_of(member.cluster));
        }
    }
    append_events(deploy_, accounts.events(), out.events);
    order_exchanges(session, sent, out);
    return out;
}

/// Splits each request's latency: the events of its batch, or of all passes of its text, form one chain, and the gaps
/// between them are waiting times.
void inference_ledger::add_requests(const ledger_pass& pass, int cluster, std::uint32_t number,
                                    inference_forecast& out) const {
    const auto& events = emulated_.accounts().events();
    const auto& served = pass.served(cluster);
    const auto& line = pass.line(cluster);
    const auto& group = deploy_.net.clusters[cluster];
    const auto begin = out.requests.size();
    const auto row_of = [&](std::int64_t request) -> request_row& {
        return out.requests[begin + static_cast<std::size_t>(request)];
    };
    out.requests.resize(begin + served.sensing.size());
    std::vector<double> now(served.sensing.size()); // up to where its latency is explained
    std::vector<double> told_s(now.size());         // when the last token was told
    for (std::size_t request = 0; request < served.sensing.size(); ++request) {
        auto& row = out.requests[begin + request];
        row.round = number;
        row.edge = static_cast<std::uint32_t>(group.edge);
        row.cluster = static_cast<std::uint32_t>(cluster);
        row.client = deploy_.chains[cluster].front().node;
        row.request = static_cast<std::uint32_t>(request);
        row.arrival_s = pass.arrival_s(cluster, request);
        now[request] = events[static_cast<std::size_t>(served.sensing[request])].end_s;
        row.parts["sensing"] = now[request] - row.arrival_s;
        told_s[request] = row.arrival_s;
    }
    for (std::size_t b = 0; b < served.batches.size(); ++b) {
        const auto& batch = served.batches[b];
        const auto first = batch.requests.first;
        for (auto request = first; request < first + batch.requests.count; ++request) {
            auto& row = row_of(request);
            explain(pass, batch, row, now[static_cast<std::size_t>(request)]);
            row.latency_s = batch.answered_s - row.arrival_s;
            row.batch = static_cast<std::uint32_t>(b);
            row.batch_size = static_cast<std::uint32_t>(batch.requests.count);
        }
        if (line.texts.empty()) {
            continue;
        }
        auto& row = row_of(first);
        const auto& text = line.texts[static_cast<std::size_t>(first)];
        row.prompt_tokens = static_cast<std::uint32_t>(text.prompt);
        row.tokens = static_cast<std::uint32_t>(batch.requests.token) + 1;
        row.first_token_s = batch.requests.token == 0 ? row.latency_s : row.first_token_s;
        auto& told = told_s[static_cast<std::size_t>(first)];
        out.tokens.push_back({number, row.cluster, row.request, row.tokens - 1, batch.answered_s - told});
        told = batch.answered_s;
    }
}

/// Adds the events of a batch to the parts of a request's latency. \param now up to where it is explained already.
void inference_ledger::explain(const ledger_pass& pass, const served_requests::batch_log& batch, request_row& row,
                               double& now) const {
    for (const auto index : batch.events) {
        const auto& event = emulated_.accounts().events()[static_cast<std::size_t>(index)];
        const bool transfer = event.receivers > 0;
        double waited = event.start_s - now;
        if (!transfer) {
            const double for_modules = std::clamp(pass.delivered_s(event.node) - now, 0.0, waited);
            row.parts["delivery"] += for_modules;
            waited -= for_modules;
        }
        const bool begins = index == batch.events.front() && batch.requests.token == 0;
        row.parts[begins ? "queue" : "busy"] += waited;
        const double took = event.arrival_s - event.start_s;
        if (!transfer) {
            const bool client = deploy_.net.nodes[event.node].role == node_role::client;
            row.parts[client ? "compute" : "edge"] += took;
        } else if (event.kind == event_kind::send_result) {
            row.parts["result"] += took;
        } else {
            row.parts[event.link == link_class::d2d ? "d2d" : "cs_smashed"] += took;
        }
        now = event.arrival_s;
    }
}

/// Batches before the first of a chain's events wait for the chain; that is no device's or link's share.
void inference_ledger::add_shares(const ledger_pass& pass, int cluster, inference_forecast& out) const {
    const auto& events = emulated_.accounts().events();
    const auto begin = static_cast<std::ptrdiff_t>(out.requests.size()) -
                       static_cast<std::ptrdiff_t>(pass.served(cluster).sensing.size());
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> known;
    for (const auto& batch : pass.served(cluster).batches) {
        const auto first = out.requests.begin() + begin + batch.requests.first;
        const double latency = std::accumulate(first, first + batch.requests.count, 0.0,
                                               [](double sum, const auto& row) { return sum + row.latency_s; });
        const auto count = static_cast<double>(batch.requests.count);
        double now = 0.0;
        std::set<std::size_t> passed; // a device may hold two stages
        for (const auto index : batch.events) {
            const auto& event = events[static_cast<std::size_t>(index)];
            const auto [place, fresh] = known.try_emplace({event.node, event.peer}, out.shares.size());
            if (fresh) {
                out.shares.push_back({event.node, event.peer, event.link});
            }
            auto& share = out.shares[place->second];
            const double modules =
                event.receivers > 0 ? 0.0 : std::max(0.0, pass.delivered_s(event.node) - now); // it waits for these
            if (index != batch.events.front()) {
                share.waited_s += count * std::max(0.0, event.start_s - now - modules);
            }
            share.took_s += count * (event.arrival_s - event.start_s);
            share.latency_s += batch.requests.token == 0 && passed.insert(place->second).second ? latency : 0.0;
            now = event.arrival_s;
        }
    }
}

/// As in ledger_run: founding of clusters comes first, then groups of clusters in waves of runtime.active_clusters; within a
/// wave messages are sorted by the ledger's start, then by the order of sending.
void inference_ledger::order_exchanges(const inference_plan& session, const std::vector<sent_message>& sent,
                                       inference_forecast& out) const {
    exchange_order order;
    for (const auto& one : sent) {
        const bool founds = one.route.kind == message_kind::request || one.route.kind == message_kind::modules;
        const double start =
            one.event < 0 ? one.sent_at : emulated_.accounts().events()[static_cast<std::size_t>(one.event)].start_s;
        exchange_place where;
        if (!founds) {
            where = {one.cluster, one.batch,
                     out.decisions.batches[one.cluster].at(static_cast<std::size_t>(one.batch)).count,
                     one.route.stage - deploy_.chains[one.cluster].front().number};
        }
        order.add({one.route, one.shape}, where, start);
    }
    out.decisions.exchanges = order.take(groups_of_session(deploy_, session), deploy_.scene->runtime.active_clusters);
}

std::size_t most_batches(const inference_decisions& decisions) {
    std::ptrdiff_t most = 0;
    for (const auto& some : decisions.batches) {
        most = std::max(
            most, std::count_if(some.begin(), some.end(), [](const request_batch& batch) { return batch.token == 0; }));
    }
    return static_cast<std::size_t>(most);
}

session_part part_of(const inference_plan& plan, const inference_decisions& whole, std::size_t first, std::size_t end) {
    session_part part{plan, {}};
    if (first > 0) {
        part.plan.founded = true;
        part.plan.holds.assign(plan.holds.size(), true);
    }
    // Batches are told apart by their number, and those of texts by the request.
    const auto is_in = [&](int cluster, std::size_t batch) {
        const auto unit = plan.lines[cluster].texts.empty()
                              ? batch
                              : static_cast<std::size_t>(whole.batches[cluster].at(batch).first);
        return unit >= first && unit < end;
    };
    for (std::size_t c = 0; c < whole.batches.size(); ++c) {
        const auto& all = whole.batches[c];
        auto& mine = part.decisions.batches.emplace_back();
        auto& arrivals = part.plan.lines[c].arrivals_s;
        const auto before = std::exchange(arrivals, {});
        for (std::size_t b = 0; b < all.size(); ++b) {
            if (!is_in(static_cast<int>(c), b)) {
                continue;
            }
            mine.push_back(all[b]);
            const auto begin = before.begin() + all[b].first;
            arrivals.insert(arrivals.end(), begin, begin + (all[b].token == 0 ? all[b].count : 0));
        }
    }
    // On each channel that batches use, each batch is one message.
    const auto takes = [&](const channel& route, std::size_t batch) {
        const bool founds = route.kind == message_kind::request || route.kind == message_kind::modules;
        return founds ? first == 0 : is_in(plan.cluster_of_stage.at(route.stage), batch);
    };
    std::map<channel, std::size_t> passed;
    for (const auto& one : whole.exchanges) {
        if (takes(one.route, passed[one.route]++)) {
            part.decisions.exchanges.push_back(one);
        }
    }
    double start = first > 0 ? whole.latency_s : 0.0;
    for (const auto& some : part.decisions.batches) {
        start = some.empty() ? start : std::min(start, some.front().taken_s);
    }
    for (const auto& [route, times] : whole.arrivals) {
        for (std::size_t i = 0; i < times.size(); ++i) {
            if (takes(route, i)) {
                part.decisions.arrivals[route].push_back(times[i] - start);
            }
        }
    }
    for (auto& some : part.decisions.batches) {
        std::for_each(some.begin(), some.end(), [&](request_batch& one) { one.taken_s -= start; });
    }
    part.decisions.latency_s = whole.latency_s - start;
    return part;
}

} // namespace gaisnet
