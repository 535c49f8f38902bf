#include "roles/ledger_run.hpp"

#include "model/shape_stage.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace gaisnet {

namespace {

std::vector<std::string> names_of(const topology& net) {
    std::vector<std::string> names;
    for (const auto& node : net.nodes) {
        names.push_back(node.name);
    }
    return names;
}

/// The values of tunables, their gradients and the optimiser's state.
std::uint64_t tuning_bytes(const deployment& deploy, const stage_spec& spec) {
    return spec.tunable_bytes() * (deploy.scene->train.optimizer == optimizer_kind::sgd ? 3 : 4);
}

std::vector<std::uint64_t> resident_bytes(const deployment& deploy) {
    std::vector<std::uint64_t> bytes(deploy.net.nodes.size(), 0);
    std::vector<std::set<std::string>> held(deploy.net.nodes.size()); // stages of a node share frozen weights
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            for (const auto& tensor : seat.spec.frozen()) {
                if (held[seat.node].insert(tensor.name).second) {
                    bytes[seat.node] += static_cast<std::uint64_t>(tensor.elements()) * sizeof(float);
                }
            }
            bytes[seat.node] += tuning_bytes(deploy, seat.spec);
        }
    }
    for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) { // the domain model and the sums of its average
        bytes[edge] += static_cast<std::uint64_t>(deploy.domain_of(edge).elements) * (4 + 8);
    }
    if (deploy.net.cloud) {
        bytes[*deploy.net.cloud] = static_cast<std::uint64_t>(deploy.domains.front().shared_elements) * (4 + 8);
    }
    return bytes;
}

/// Orders events by start and forgets causes, and what never began.
void append_sorted(const std::vector<ledger_event>& events, std::vector<event_row>& out) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (!events[i].dropped) {
            order.push_back(i);
        }
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return events[a].start_s < events[b].start_s; });
    for (const auto index : order) {
        out.push_back(events[index]);
    }
}

} // namespace

ledger_run::ledger_run(const deployment& deploy, std::vector<int> rank_of)
    : deploy_(deploy)
    , rank_of_(std::move(rank_of))
    , ledger_(queue_, deploy.scene->seed)
    , interference_(*deploy.scene, deploy.net)
    , cast_(
          deploy, [](const stage_seat& seat) { return std::make_unique<shape_stage>(seat.spec); },
          [](std::uint32_t) { return true; })
    , clocks_(static_cast<std::size_t>(deploy.net.edges), 0.0)
    , resident_bytes_(resident_bytes(deploy)) {
    for (const auto& node : deploy.net.nodes) {
        ledger_.add_node(node.device);
        battery_j_.push_back(node.device.battery_j);
    }
    add_links();
}

/// The media and links of the topology; the ledger numbers links in the same order.
void ledger_run::add_links() {
    const auto& scene = *deploy_.scene;
    std::vector<medium*> media;
    for (const auto& one : deploy_.net.media) {
        if (one.share == share_kind::reuse) {
            media.push_back(&ledger_.add_medium(std::make_unique<reused_medium>(queue_, interference_)));
        } else {
            media.push_back(
                &ledger_.add_medium(std::make_unique<shared_medium>(queue_, one.share, one.capacity_bit_s)));
        }
    }
    const auto which = scene.link.half_duplex;
    auto* d2d_radios =
        which == half_duplex_kind::d2d || which == half_duplex_kind::all ? &ledger_.add_half_duplex_radios() : nullptr;
    auto* cs_radios =
        which == half_duplex_kind::cs || which == half_duplex_kind::all ? &ledger_.add_half_duplex_radios() : nullptr;
    for (const auto& link : deploy_.net.links) {
        ledger_.add_link(link.parameters, rate_of(link, 0), link.medium ? *media[*link.medium] : ledger_.exclusive(),
                         link.parameters.kind == link_class::d2d ? d2d_radios : cs_radios);
    }
}

/// The rate of a link, in a round with its fading; round 0: without.
std::unique_ptr<rate_model> ledger_run::rate_of(const network_link& link, std::uint32_t round) const {
    const auto& one = link.parameters;
    std::unique_ptr<rate_model> rate;
    if (link.by_radio) {
        rate = radio_map::rate(deploy_.net.radio, one.kind, *settings_of(*deploy_.scene, one.kind).radio, one.from,
                               one.to, one.bandwidth_hz, round);
    } else if (link.trace) {
        rate = std::make_unique<traced_rate>(link.trace);
    } else {
        rate = std::make_unique<constant_rate>(link.rate_bit_s);
    }
    return link.rate_factor == 1.0 ? std::move(rate) : std::make_unique<scaled_rate>(std::move(rate), link.rate_factor);
}

/// Channels that fade are other ones in every round.
void ledger_run::draw_channels(std::uint32_t round) {
    interference_.begin_round(round);
    for (std::uint32_t index = 0; index < deploy_.net.links.size(); ++index) {
        const auto& link = deploy_.net.links[index];
        const auto& radio = settings_of(*deploy_.scene, link.parameters.kind).radio;
        if (link.by_radio && radio->fading != fading_kind::none) {
            ledger_.set_rate(index, rate_of(link, round));
        }
    }
}

int ledger_run::wave_of(int cluster) const { return cluster / deploy_.scene->runtime.active_clusters; }

round_forecast ledger_run::play(int round) {
    round_forecast out;
    draw_channels(static_cast<std::uint32_t>(round));
    std::vector<std::int64_t> batches;
    for (const auto& plan : deploy_.plans) {
        batches.push_back(plan.batches_a_round);
    }
    auto losses = draw_dropouts(*deploy_.scene, deploy_.net, batches, round);
    round_plan plan{round, std::vector<cluster_fate>(losses.size())};
    std::vector<placed_exchange> exchanges;
    for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(deploy_.net.edges); ++edge) {
        play_edge(edge, losses, plan, out, exchanges);
    }
    out.decisions.fates = std::move(plan.fates);
    out.decisions.federates = deploy_.net.cloud && round % deploy_.scene->cloud.period == 0;
    // Stable: messages that start at the same time stay in the order of sending.
    std::stable_sort(exchanges.begin(), exchanges.end(), [](const placed_exchange& a, const placed_exchange& b) {
        return std::tie(a.wave, a.since_start_s, a.is_average) < std::tie(b.wave, b.since_start_s, b.is_average);
    });
    for (auto& one : exchanges) {
        if (one.is_average) {
            out.decisions.averages.push_back(static_cast<std::uint32_t>(one.what.average_of));
        }
        if (!rank_of_.empty()) {
            out.decisions.exchanges.push_back(std::move(one.what));
        }
    }
    if (out.decisions.federates) {
        federate(out);
    }
    return out;
}

/// An edge's round in the ledger.
struct ledger_run::edge_round {
    std::uint32_t edge = 0;
    double start_s = 0, end_s = 0;
    std::int64_t last = -1; ///< The event with which it ended.
    round_closing closing;
    std::vector<std::uint32_t> members;
    std::vector<memory_account> memory; ///< By member.
    std::vector<sent_message> between_ranks;
    std::map<channel, std::vector<double>> arrivals; ///< `clock = real`
    std::map<int, std::vector<double>> batch_starts; ///< By cluster.
};

average_expectation ledger_run::expectation_of(std::uint32_t edge, const round_plan& plan) const {
    const auto& rule = deploy_.scene->round;
    average_expectation expected;
    expected.elements = deploy_.domain_of(edge).elements;
    expected.clusters_wanted = deploy_.net.clusters.size() + 1;
    if (rule.wait == wait_kind::fraction) {
        const auto wanted = rule.fraction * static_cast<double>(deploy_.clusters_of(edge));
        constexpr double rounding = 1e-9; // 0.8 of five clusters are four
        expected.clusters_wanted = static_cast<std::size_t>(std::max(1.0, std::ceil(wanted - rounding)));
    } else if (rule.wait == wait_kind::deadline) {
        expected.deadline_s = clocks_[edge] + rule.deadline_s;
    }
    for (std::size_t c = 0; c < deploy_.chains.size(); ++c) {
        if (deploy_.net.clusters[c].edge == static_cast<int>(edge) && plan.fates[c].plays) {
            expected.contributions[static_cast<int>(c)] =
                static_cast<std::size_t>(std::count_if(deploy_.chains[c].begin(), deploy_.chains[c].end(),
                                                       [](const stage_seat& seat) { return seat.spec.trainable(); }));
        }
    }
    return expected;
}

ledger_run::edge_round ledger_run::play_once(std::uint32_t edge, const round_plan& plan) {
    edge_round out;
    out.edge = edge;
    out.start_s = clocks_[edge];
    cast_.begin_round(plan);
    ledger_.begin_round(static_cast<std::uint32_t>(plan.round), out.start_s);
    ledger_pass pass(ledger_, names_of(deploy_.net), {{edge, expectation_of(edge, plan)}});
    if (!deploy_.scene->link.charge_gradients) {
        pass.leave_gradients_uncharged();
    }
    if (!rank_of_.empty()) {
        pass.record([&](const channel& route) { return rank_of_[route.from] != rank_of_[route.to]; },
                    out.between_ranks);
    }
    if (deploy_.scene->clock == clock_kind::real) {
        pass.record_arrivals(out.arrivals);
    }
    out.members.push_back(edge);
    for (auto& client : cast_.clients()) {
        if (deploy_.net.nodes[client.me.node].edge == static_cast<int>(edge)) {
            out.members.push_back(client.me.node);
        }
    }
    cast_.play(pass, plan, static_cast<int>(edge));
    pass.run();
    out.last = cast_.edges()[edge].me.cause;
    out.end_s = out.last < 0 ? out.start_s : ledger_.events()[static_cast<std::size_t>(out.last)].arrival_s;
    out.closing = pass.closing(edge);
    for (const auto& [client, when] : pass.lost_clients()) {
        ledger_.switch_off(client, when);
    }
    for (const auto member : out.members) {
        out.memory.push_back(pass.memory(member));
        const auto& who = deploy_.net.nodes[member];
        if (who.cluster >= 0 && who.member == 0) {
            out.batch_starts[who.cluster] = pass.batch_starts(who.cluster);
        }
        if (battery_j_[member] <= 0.0) {
            ledger_.switch_off(member, out.start_s);
        }
    }
    ledger_.close_round(out.members, out.start_s, out.end_s);
    return out;
}

/// The client whose battery is empty first, if there is one: it is lost at the next batch boundary. What a device draws is
/// taken to be drawn at the end of each event; idle power runs all the time.
std::optional<std::pair<int, client_loss>> ledger_run::find_empty_battery(const edge_round& played,
                                                                          const round_plan& plan) const {
    double first = never;
    std::optional<std::pair<int, client_loss>> found;
    for (const auto member : played.members) {
        const double left = battery_j_[member];
        const auto cluster = deploy_.net.nodes[member].cluster;
        if (cluster < 0 || left <= 0.0 || ledger_.account(member).total_j() <= left) {
            continue;
        }
        std::vector<std::pair<double, double>> draws; // when, J
        for (const auto& event : ledger_.events()) {
            if (!event.dropped) {
                if (const double joules = ledger_.drawn_by(event, member); joules > 0.0) {
                    draws.emplace_back(event.end_s, joules);
                }
            }
        }
        std::sort(draws.begin(), draws.end());
        double drawn = 0.0;
        for (const auto& [when, joules] : draws) {
            drawn += joules;
            if (drawn + (when - played.start_s) * ledger_.device(member).idle_power_w > left) {
                const auto& starts = played.batch_starts.at(cluster);
                const auto begun = std::upper_bound(starts.begin(), starts.end(), when) - starts.begin();
                const auto& fate = plan.fate_of(cluster);
                const bool lost_anyway =
                    (fate.stops_before && *fate.stops_before <= begun) ||
                    std::any_of(fate.losses.begin(), fate.losses.end(), [&](const client_loss& one) {
                        return one.node == member && one.before_batch <= begun;
                    });
                if (!lost_anyway && when < first) {
                    first = when;
                    found = {cluster, {member, begun}};
                }
                break;
            }
        }
    }
    return found;
}

/// Bytes of the stages that a node takes over in a round, with its share of the frozen weights.
std::uint64_t ledger_run::taken_bytes(std::uint32_t node, const round_plan& plan) const {
    std::uint64_t bytes = 0;
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        for (const auto& one : plan.fates[c].takeovers) {
            if (one.heir == node) {
                const auto& spec = deploy_.chains[c][one.stage].spec;
                bytes += tuning_bytes(deploy_, spec);
                for (const auto& tensor : spec.frozen()) {
                    bytes += static_cast<std::uint64_t>(tensor.elements()) * sizeof(float);
                }
            }
        }
    }
    return bytes;
}

/// A stage that was taken over by a node whose memory it does not fit into, if there is one.
std::optional<std::pair<int, takeover>> ledger_run::find_full_memory(const edge_round& played,
                                                                     const round_plan& plan) const {
    for (std::size_t i = 0; i < played.members.size(); ++i) {
        const auto member = played.members[i];
        const auto needs = resident_bytes_[member] + taken_bytes(member, plan) + played.memory[i].peak;
        if (needs <= deploy_.net.nodes[member].device.memory_bytes) {
            continue;
        }
        for (std::size_t c = 0; c < plan.fates.size(); ++c) {
            for (const auto& one : plan.fates[c].takeovers) {
                if (one.heir == member) {
                    return std::pair{static_cast<int>(c), one};
                }
            }
        }
    }
    return std::nullopt;
}

/// A battery that runs empty and a takeover that does not fit show only when the round is played: it is played again then,
/// with the loss, or without that takeover. What happened before that does not change.
void ledger_run::play_edge(std::uint32_t edge, std::vector<std::vector<client_loss>>& losses, round_plan& plan,
                           round_forecast& out, std::vector<placed_exchange>& exchanges) {
    std::map<int, refused_takeovers> refused;
    const auto decide = [&](int cluster) {
        const auto index = static_cast<std::size_t>(cluster);
        plan.fates[index] = fate_after(deploy_, cluster, losses[index], refused[cluster]);
    };
    for (std::uint32_t node = 0; node < deploy_.net.nodes.size(); ++node) {
        const auto& member = deploy_.net.nodes[node];
        if (member.edge == static_cast<int>(edge) && member.cluster >= 0 && battery_j_[node] <= 0.0) {
            losses[static_cast<std::size_t>(member.cluster)].push_back({node, client_loss::absent});
        }
    }
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        if (deploy_.net.clusters[c].edge == static_cast<int>(edge)) {
            decide(static_cast<int>(c));
        }
    }
    auto played = play_once(edge, plan);
    for (bool settled = false; !settled;) {
        if (const auto empty = find_empty_battery(played, plan)) {
            losses[static_cast<std::size_t>(empty->first)].push_back(empty->second);
            decide(empty->first);
        } else if (const auto full = find_full_memory(played, plan)) {
            refused[full->first].emplace(full->second.stage, full->second.heir);
            decide(full->first);
        } else {
            settled = true;
            continue;
        }
        played = play_once(edge, plan);
    }
    clocks_[edge] = played.end_s;
    for (const auto member : played.members) {
        battery_j_[member] = std::max(0.0, battery_j_[member] - ledger_.account(member).total_j());
    }
    report(played, plan, out, exchanges);
    for (std::size_t c = 0; c < plan.fates.size(); ++c) { // the tensor pass plays nothing of a cluster without a result
        auto& fate = plan.fates[c];
        fate.plays = fate.plays && (deploy_.net.clusters[c].edge != static_cast<int>(edge) ||
                                    played.closing.done.contains(static_cast<int>(c)));
    }
}

namespace {

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

} // namespace

/// Between rounds: every edge joins when its own round has ended, and goes on when it has the average. Nothing else uses
/// the backhaul, so this is exact although each edge's round was played by itself.
void ledger_run::federate(round_forecast& out) {
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
    ledger_pass pass(ledger_, names_of(deploy_.net), {{cloud, std::move(expected)}});
    std::vector<sent_message> sent;
    if (!rank_of_.empty()) {
        pass.record([&](const channel& route) { return rank_of_[route.from] != rank_of_[route.to]; }, sent);
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
        clocks_[edge] = events[static_cast<std::size_t>(last)].arrival_s;
        edge_row.cloud_s = clocks_[edge] - before[edge];
        edge_row.latency_s += edge_row.cloud_s;
        edge_row.end_s = clocks_[edge];
        row.end_s = std::max(row.end_s, clocks_[edge]);
        double on_the_way = 0;
        for (const auto& part : critical_parts(events, last)) {
            const auto& event = events[static_cast<std::size_t>(part.event)];
            const double seconds = std::min(part.seconds, edge_row.cloud_s - on_the_way);
            out.critical.push_back({event.node, event.peer, event.link, event.kind, seconds});
            on_the_way += seconds;
        }
        if (edge_row.cloud_s > on_the_way) { // for an edge that is later
            out.critical.push_back({edge, edge, link_class::none, event_kind::wait, edge_row.cloud_s - on_the_way});
        }
        for (const auto& event : events) {
            if (event.receivers > 0 && (event.node == edge || event.peer == edge)) {
                edge_row.bytes[static_cast<std::size_t>(event.link)] += event.bytes;
                edge_row.airtime_hz_s[static_cast<std::size_t>(event.link)] += event.airtime_hz_s;
            }
        }
    }
    for (auto& node : out.nodes) { // all but the cloud idle meanwhile
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
        out.rounds[edge].energy_j += account.total_j();
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
    of_cloud.total_bytes = resident_bytes_[cloud] + of_cloud.temporary_bytes;
    row.flops = of_cloud.flops;
    row.energy_j = of_cloud.total_j();
    out.nodes.push_back(of_cloud);
    out.federation = row;
    append_sorted(events, out.events);

    out.decisions.averages.push_back(cloud);
    if (!rank_of_.empty()) {
        out.decisions.exchanges.push_back({{}, {}, static_cast<int>(cloud)});
        for (auto& one : sent) {
            out.decisions.exchanges.push_back({one.route, std::move(one.shape), -1});
        }
    }
}

void ledger_run::report(const edge_round& played, const round_plan& plan, round_forecast& out,
                        std::vector<placed_exchange>& exchanges) {
    const auto& events = ledger_.events();
    const auto edge = played.edge;
    const auto& done = played.closing.done;
    for (const auto& sent : played.between_ranks) {
        const auto& from = deploy_.net.nodes[sent.route.from];
        const auto& to = deploy_.net.nodes[sent.route.to];
        if (!done.contains(sent.cluster >= 0 ? sent.cluster : std::max(from.cluster, to.cluster))) {
            continue;
        }
        const double begin = sent.event < 0 ? sent.sent_at : events[static_cast<std::size_t>(sent.event)].start_s;
        // Delivery comes first: it waits for nothing, and everything for it.
        const int wave = sent.cluster < 0 ? -1 : wave_of(sent.cluster);
        exchanges.push_back({wave, begin - played.start_s, false, {sent.route, sent.shape, -1}});
    }
    auto& decisions = out.decisions;
    for (const auto& [route, times] : played.arrivals) {
        const int cluster = std::max(deploy_.net.nodes[route.from].cluster, deploy_.net.nodes[route.to].cluster);
        if (done.contains(cluster)) {
            for (const double time : times) {
                decisions.arrivals[route].push_back(time - played.start_s);
            }
        }
    }
    decisions.closes[edge] = played.closing.closed_s - played.start_s;
    decisions.latency_s = std::max(decisions.latency_s, played.end_s - played.start_s);
    if (!done.empty()) {
        exchanges.push_back(
            {wave_of(*done.rbegin()), played.end_s - played.start_s, true, {{}, {}, static_cast<int>(edge)}});
    }

    round_row row;
    row.edge = edge;
    row.round = static_cast<std::uint32_t>(plan.round);
    row.latency_s = played.end_s - played.start_s;
    row.end_s = played.end_s;
    const auto path = trace_back(events, played.last, edge);
    row.delivery_s = path.delivery_s;
    row.sensing_s = path.sensing_s;
    row.compute_s = path.compute_s;
    row.d2d_s = path.d2d_s;
    row.cs_smashed_s = path.cs_smashed_s;
    row.upload_s = path.upload_s;
    row.edge_s = path.edge_s;
    row.wait_s = path.wait_s;
    row.clusters_done = static_cast<std::uint32_t>(done.size());
    row.clusters_lost = static_cast<std::uint32_t>(played.closing.lost.size());
    row.clusters_cut = static_cast<std::uint32_t>(deploy_.clusters_of(edge)) - row.clusters_done - row.clusters_lost;
    for (std::size_t c = 0; c < deploy_.plans.size(); ++c) {
        if (deploy_.net.clusters[c].edge == static_cast<int>(edge)) {
            row.clusters_lost += plan.fates[c].plays ? 0U : 1U;
            row.clusters_cut -= plan.fates[c].plays ? 0U : 1U;
        }
    }
    for (const int cluster : done) {
        row.clusters_repaired += plan.fate_of(cluster).takeovers.empty() ? 0U : 1U;
        row.samples +=
            static_cast<std::uint64_t>(deploy_.plans[static_cast<std::size_t>(cluster)].samples_in_round(plan.round));
    }
    for (const auto& event : events) {
        if (!event.dropped) {
            const auto link = static_cast<std::size_t>(event.link);
            row.bytes[link] += event.bytes;
            row.airtime_hz_s[link] += event.airtime_hz_s;
        }
    }
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
        node.total_bytes = resident_bytes_[member] + taken_bytes(member, plan) + node.temporary_bytes;
        if (who.cluster >= 0) {
            const auto& fate = plan.fate_of(who.cluster);
            const bool lost = !fate.plays || played.closing.lost.contains(who.cluster);
            const bool repaired_without = done.contains(who.cluster) && fate.loses(member);
            node.outcome = lost || repaired_without     ? cluster_outcome::lost
                           : done.contains(who.cluster) ? cluster_outcome::done
                                                        : cluster_outcome::cut;
            if (who.member == 0 && done.contains(who.cluster)) {
                node.samples = static_cast<std::uint64_t>(
                    deploy_.plans[static_cast<std::size_t>(who.cluster)].samples_in_round(plan.round));
            }
        }
        (member == edge ? row.edge_flops : row.client_flops) += account.flops;
        row.energy_j += node.total_j();
        out.nodes.push_back(node);
    }
    out.rounds.push_back(row);
    for (const auto& part : critical_parts(events, played.last)) {
        const auto& event = events[static_cast<std::size_t>(part.event)];
        out.critical.push_back({event.node, event.peer, event.link, event.kind, part.seconds});
    }
    const auto first = out.events.size();
    append_sorted(events, out.events);
    for (auto event = out.events.begin() + static_cast<std::ptrdiff_t>(first); event != out.events.end(); ++event) {
        if (event->receivers > 0 && settings_of(*deploy_.scene, event->link).radio) {
            event->distance_m = deploy_.net.radio->distance(event->node, event->peer, event->start_s);
        }
    }
}

} // namespace gaisnet
