#include "rounds/ledger_run.hpp"

#include "base/error.hpp"
#include "model/shape_stage.hpp"
#include "roles/fusion.hpp"
#include "rounds/ledger_rows.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

namespace gaisnet {

namespace {

/// Size of a stage's tunables, their gradients and the optimiser's state.
std::uint64_t tuning_bytes(const deployment& deploy, const stage_spec& spec) {
    return spec.tunable_bytes() * (deploy.scene->train.optimizer == optimizer_kind::sgd ? 3 : 4);
}

std::vector<std::uint64_t> resident_while_training(const deployment& deploy) {
    auto bytes = frozen_bytes(deploy);
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            // In split learning the edge has one stage, which all clusters use in turn; with centralised training it
            // has one model.
            const bool of_edge = deploy.net.nodes[seat.node].role == node_role::edge;
            const bool again =
                deploy.scene->scheme == scheme_kind::sl && of_edge && deploy.net.clusters[seat.cluster].place != 0;
            if (again || !deploy.trains(seat.cluster)) {
                continue;
            }
            bytes[seat.node] += tuning_bytes(deploy, seat.spec);
        }
    }
    for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) { // the domain model and the sums of its average
        const auto& domain = deploy.domain_of(edge);
        bytes[edge] += static_cast<std::uint64_t>(domain.elements * 4 + domain.average.elements * 8);
    }
    if (deploy.net.cloud) {
        bytes[*deploy.net.cloud] =
            static_cast<std::uint64_t>(deploy.domains.front().shared_elements * 4 + deploy.shared_average.elements * 8);
    }
    return bytes;
}

} // namespace

ledger_run::ledger_run(const deployment& deploy, std::vector<int> rank_of)
    : deploy_(deploy)
    , rank_of_(std::move(rank_of))
    , emulated_(*deploy.scene, deploy.net)
    , ledger_(emulated_.accounts())
    , cast_(
          deploy, [](const stage_seat& seat) { return std::make_unique<shape_stage>(seat.spec); },
          [](std::uint32_t) { return true; })
    , clocks_(static_cast<std::size_t>(deploy.net.edges), 0.0)
    , sensed_(deploy.plans.size(), 0)
    , backbone_bytes_(other_backbone_bytes(deploy))
    , resident_bytes_(resident_while_training(deploy)) {
    for (const auto& node : deploy.net.nodes) {
        battery_j_.push_back(node.device.battery_j);
    }
}

ledger_run::ledger_run(const deployment& deploy, std::vector<int> rank_of, const ledger_state& from)
    : ledger_run(deploy, std::move(rank_of)) {
    clocks_ = from.clocks_s;
    cloud_clock_ = from.cloud_clock_s;
    battery_j_ = from.battery_j;
    for (std::size_t c = 0; c < deploy_.net.clusters.size(); ++c) {
        const auto found = from.sensed.find(deploy_.net.clusters[c].clients.front());
        sensed_[c] = found == from.sensed.end() ? 0 : found->second;
    }
    sensed_before_ = from.sensed;
}

ledger_state ledger_run::state() const {
    ledger_state out{clocks_, cloud_clock_, battery_j_, sensed_before_};
    for (std::size_t c = 0; c < deploy_.net.clusters.size(); ++c) {
        out.sensed[deploy_.net.clusters[c].clients.front()] = sensed_[c];
    }
    return out;
}

round_forecast ledger_run::play(int round) {
    std::vector<std::uint32_t> all(static_cast<std::size_t>(deploy_.net.edges));
    std::iota(all.begin(), all.end(), 0U);
    const auto since = clocks_;
    auto out = play_edges(round, all, since);
    const int turns = deploy_.scene->scheme == scheme_kind::sl ? clusters_of(*deploy_.scene, 0) : 1;
    for (int turn = 1; turn < turns; ++turn) {
        append_turn(out, play_edges(round, all, since, turn));
    }
    if (deploy_.net.cloud && round % deploy_.scene->cloud.period == 0) {
        federate(out, turns > 1 ? out.decisions.turns.back() : out.decisions);
    }
    for (const auto& turn : out.decisions.turns) {
        out.decisions.latency_s = std::max(out.decisions.latency_s, turn.latency_s);
    }
    return out;
}

/// Whether a cluster is idle: in split learning outside its turn; with centralised training all but the edge's first.
bool ledger_run::sits_out(int cluster, int turn) const {
    return !deploy_.trains(cluster) ||
           (deploy_.scene->scheme == scheme_kind::sl && deploy_.net.clusters[cluster].place != turn);
}

round_forecast ledger_run::play_one(int round, std::uint32_t edge) {
    ensure(deploy_.scene->scheme != scheme_kind::sl, "split learning has turns");
    return play_edges(round, std::span(&edge, 1), clocks_);
}

round_forecast ledger_run::play_edges(int round, std::span<const std::uint32_t> edges,
                                      const std::vector<double>& since_s, int turn) {
    const auto since = since_s; // a copy: the argument may be the clocks, which change here
    round_forecast out;
    emulated_.draw_channels(static_cast<std::uint32_t>(round));
    std::vector<std::int64_t> batches;
    for (const auto& plan : deploy_.plans) {
        batches.push_back(plan.batches_a_round);
    }
    auto losses = draw_dropouts(*deploy_.scene, deploy_.net, batches, round);
    round_plan plan;
    plan.round = round;
    plan.fates.resize(losses.size());
    plan.sensed.resize(losses.size());
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        plan.fates[c].sits_out = sits_out(static_cast<int>(c), turn);
        plan.fates[c].plays = !plan.fates[c].sits_out;
    }
    exchange_order exchanges;
    for (const auto edge : edges) {
        play_edge(edge, since[edge], losses, plan, out, exchanges);
    }
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        const auto edge = static_cast<std::uint32_t>(deploy_.net.clusters[c].edge);
        plan.fates[c].plays = plan.fates[c].plays && std::find(edges.begin(), edges.end(), edge) != edges.end();
    }
    out.decisions.fates = std::move(plan.fates);
    const auto groups = undisturbed_groups(deploy_, out.decisions.fates);
    for (auto& one : exchanges.take(groups, deploy_.scene->runtime.active_clusters)) {
        if (one.is_average()) {
            out.decisions.averages.push_back(static_cast<std::uint32_t>(one.average_of));
        }
        if (!rank_of_.empty()) {
            out.decisions.exchanges.push_back(std::move(one));
        }
    }
    return out;
}

average_expectation ledger_run::expectation_of(std::uint32_t edge, const round_plan& plan) const {
    const auto& rule = deploy_.scene->round;
    average_expectation expected;
    expected.elements = deploy_.domain_of(edge).elements;
    expected.clusters_wanted = deploy_.net.clusters.size() + 1;
    if (rule.wait == wait_kind::fraction) {
        const auto wanted = rule.fraction * static_cast<double>(deploy_.clusters_of(edge));
        constexpr double rounding = 1e-9; // so that 0.8 of five clusters are four
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

ledger_run::edge_round ledger_run::play_once(std::uint32_t edge, double since_s, const round_plan& plan) {
    edge_round out;
    out.edge = edge;
    out.since_s = since_s;
    out.start_s = clocks_[edge];
    cast_.begin_round(plan);
    ledger_.begin_round(static_cast<std::uint32_t>(plan.round), out.start_s);
    ledger_pass pass(ledger_, emulated_.names(), {{edge, expectation_of(edge, plan)}});
    pass.sense_since(since_s);
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
    for (std::uint32_t node = 0; node < deploy_.net.nodes.size(); ++node) {
        const auto& who = deploy_.net.nodes[node];
        if (who.role == node_role::client && who.edge == static_cast<int>(edge)) {
            out.members.push_back(node);
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

/// Clients with empty batteries, by cluster.
std::vector<std::vector<client_loss>> ledger_run::without_batteries() const {
    std::vector<std::vector<client_loss>> losses(deploy_.net.clusters.size());
    for (std::uint32_t node = 0; node < deploy_.net.nodes.size(); ++node) {
        if (const auto cluster = deploy_.net.nodes[node].cluster; cluster >= 0 && battery_j_[node] <= 0.0) {
            losses[static_cast<std::size_t>(cluster)].push_back({node, client_loss::absent});
        }
    }
    return losses;
}

bool ledger_run::anyone_left() const {
    const auto losses = without_batteries();
    for (std::size_t c = 0; c < losses.size(); ++c) {
        if (losses[c].empty() || fate_after(deploy_, static_cast<int>(c), losses[c], {}).plays) {
            return true;
        }
    }
    return false;
}

/// The client whose battery is empty first, if any; it is lost at the next batch boundary.
std::optional<std::pair<int, client_loss>> ledger_run::find_empty_battery(const edge_round& played,
                                                                          const round_plan& plan) const {
    double first = never;
    std::optional<std::pair<int, client_loss>> found;
    for (const auto member : played.members) {
        const double left = battery_j_[member];
        const auto cluster = deploy_.net.nodes[member].cluster;
        if (cluster < 0 || plan.fate_of(cluster).sits_out || left <= 0.0 || ledger_.account(member).total_j() <= left) {
            continue;
        }
        const double when = ledger_.empty_at(member, left, played.start_s, played.end_s);
        const auto& starts = played.batch_starts.at(cluster);
        const auto begun = std::upper_bound(starts.begin(), starts.end(), when) - starts.begin();
        const auto& fate = plan.fate_of(cluster);
        const bool lost_anyway = (fate.stops_before && *fate.stops_before <= begun) ||
                                 std::any_of(fate.losses.begin(), fate.losses.end(), [&](const client_loss& one) {
                                     return one.node == member && one.before_batch <= begun;
                                 });
        if (!lost_anyway && when < first) {
            first = when;
            found = {cluster, {member, begun}};
        }
    }
    return found;
}

/// Size of the stages that nodes take over in a round, with their part of the frozen weights.
std::map<std::uint32_t, std::uint64_t> ledger_run::taken_bytes(const round_plan& plan) const {
    std::map<std::uint32_t, std::uint64_t> bytes;
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        for (const auto& one : plan.fates[c].takeovers) {
            const auto& spec = deploy_.chains[c][one.stage].spec;
            bytes[one.heir] += tuning_bytes(deploy_, spec);
            for (const auto& tensor : spec.frozen()) {
                bytes[one.heir] += static_cast<std::uint64_t>(tensor.elements()) * sizeof(float);
            }
        }
    }
    return bytes;
}

/// A takeover that does not fit into the memory of its new node, if there is one.
std::optional<std::pair<int, takeover>> ledger_run::find_full_memory(const edge_round& played,
                                                                     const round_plan& plan) const {
    const auto taken = taken_bytes(plan);
    for (std::size_t i = 0; i < played.members.size(); ++i) {
        const auto member = played.members[i];
        const auto its = taken.find(member);
        if (its == taken.end()) {
            continue;
        }
        const auto needs = resident_bytes_[member] + its->second + played.memory[i].peak;
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

/// Records sensed samples: they need not be sensed again, even if their cluster's round failed.
void ledger_run::note_sensing(std::uint32_t edge, const round_plan& plan) {
    for (const auto& event : ledger_.events()) {
        const int cluster = deploy_.net.nodes[event.node].cluster;
        if (event.kind != event_kind::sense || event.dropped || cluster < 0 ||
            deploy_.net.clusters[cluster].edge != static_cast<int>(edge)) {
            continue;
        }
        const double all = static_cast<double>(plan.sensed_by(cluster));
        const double energy = all * ledger_.device(event.node).sense_energy_j;
        const double time = all * ledger_.device(event.node).sense_time_s;
        const double part = !event.cut     ? 1.0
                            : energy > 0.0 ? event.energy_j / energy
                            : time > 0.0   ? (event.end_s - event.start_s) / time
                                           : 1.0;
        sensed_[cluster] += static_cast<std::int64_t>(std::floor(part * all));
    }
}

/// Plays an edge's round. An empty battery or a takeover without enough memory is found only by playing the round; then
/// it is played again with that loss, or without that takeover. Everything before that moment stays the same.
void ledger_run::play_edge(std::uint32_t edge, double since_s, std::vector<std::vector<client_loss>>& losses,
                           round_plan& plan, round_forecast& out, exchange_order& exchanges) {
    std::map<int, refused_takeovers> refused;
    const auto decide = [&](int cluster) {
        const auto index = static_cast<std::size_t>(cluster);
        if (!plan.fates[index].sits_out) {
            plan.fates[index] = fate_after(deploy_, cluster, losses[index], refused[cluster]);
            const bool again = deploy_.scene->sense.each_round();
            plan.sensed[index] = deploy_.plans[index].sensed_for(plan.round, again ? 0 : sensed_[index]);
        }
    };
    const auto lost = without_batteries();
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        if (deploy_.net.clusters[c].edge == static_cast<int>(edge)) {
            losses[c].insert(losses[c].end(), lost[c].begin(), lost[c].end());
            decide(static_cast<int>(c));
        }
    }
    auto played = play_once(edge, since_s, plan);
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
        played = play_once(edge, since_s, plan);
    }
    note_sensing(edge, plan);
    clocks_[edge] = played.end_s;
    for (const auto member : played.members) {
        battery_j_[member] = std::max(0.0, battery_j_[member] - ledger_.account(member).total_j());
    }
    report(played, plan, out, exchanges);
    for (std::size_t c = 0; c < plan.fates.size(); ++c) { // the tensor pass does not play clusters without a result
        auto& fate = plan.fates[c];
        fate.plays = fate.plays && (deploy_.net.clusters[c].edge != static_cast<int>(edge) ||
                                    played.closing.done.contains(static_cast<int>(c)));
    }
}

} // namespace gaisnet
