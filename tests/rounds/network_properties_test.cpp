// What must hold whatever the network looks like: properties over random scenarios.

#include "base/error.hpp"
#include "roles/fusion.hpp"
#include "rounds/inference_ledger.hpp"
#include "scenario/scenario.hpp"
#include "support/lab.hpp"
#include "support/tuned.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

namespace gaisnet {
namespace {

class scenario_dice {
public:
    explicit scenario_dice(std::uint32_t number): stream_(2024, "random scenario", "test", 0, number) {}
    bool yes(double probability) { return stream_.uniform() < probability; }
    int pick(int low, int high) {
        return low + static_cast<int>(stream_.below(static_cast<std::uint64_t>(high - low + 1)));
    }
    double log_uniform(double low, double high) { return low * std::pow(high / low, stream_.uniform()); }
    template <typename T>
    T one_of(std::initializer_list<T> all) {
        return *(all.begin() + static_cast<std::ptrdiff_t>(stream_.below(all.size())));
    }

private:
    random_stream stream_;
};

radio_settings random_radio(scenario_dice& roll) {
    radio_settings radio;
    const auto models = registry<path_loss_model>::all();
    radio.loss = *models[static_cast<std::size_t>(roll.pick(0, static_cast<int>(models.size()) - 1))];
    radio.frequency_hz = roll.log_uniform(0.7e9, 60e9);
    radio.shadowing_db = roll.yes(0.5) ? roll.log_uniform(1, 10) : 0.0;
    radio.noise_figure_db = 9;
    radio.min_rate = 0;
    radio.max_efficiency = roll.yes(0.5) ? 7.4 : never;
    radio.fading.kind = roll.one_of({fading_kind::none, fading_kind::rayleigh, fading_kind::rician});
    radio.fading.k_factor = 4;
    return radio;
}

scenario random_scenario(std::uint32_t number) {
    scenario_dice roll(number);
    auto scene = lab::small_scenario();
    scene.seed = number;
    scene.network.edges = roll.pick(1, 2);
    scene.network.clusters = roll.pick(1, 4);
    scene.network.clients.clear();
    for (int i = 0; i < scene.network.clusters; ++i) {
        scene.network.clients.push_back(roll.pick(1, 4));
    }
    scene.network.layout = roll.one_of({layout_kind::disc, layout_kind::grid});
    scene.train.schedule = roll.one_of({schedule_kind::serial, schedule_kind::gpipe, schedule_kind::one_f_one_b});
    scene.train.micro_batches = scene.train.schedule == schedule_kind::serial ? 1 : roll.pick(1, 4);
    scene.train.labels = roll.one_of({label_route::chain, label_route::local});
    if (roll.yes(0.3)) {
        scene.cluster.edge_stage = 2;
    }
    for (auto* link : {&scene.link.cs_up, &scene.link.cs_down, &scene.link.d2d}) {
        link->rate = {distribution::family::uniform, {5e6, 100e6}, {}, false};
        link->latency = distribution::of(roll.log_uniform(1e-5, 1e-2));
        link->share = roll.one_of({share_kind::exclusive, share_kind::equal, share_kind::maxmin, share_kind::airtime});
        if (roll.yes(0.4)) {
            link->radio = random_radio(roll);
        }
        if (link->share == share_kind::maxmin && roll.yes(0.5)) {
            link->capacity = distribution::of(roll.log_uniform(10e6, 200e6));
        }
        link->loss = roll.yes(0.3) ? 0.05 : 0.0;
        if (roll.yes(0.3)) {
            link->jitter = {distribution::family::uniform, {0.0, 5e-3}, {}, false};
        }
    }
    if (scene.link.d2d.radio && roll.yes(0.5)) {
        scene.link.d2d.share = share_kind::reuse;
    }
    if (scene.link.cs_up.radio && scene.link.cs_down.radio && roll.yes(0.5)) {
        scene.link.access = access_kind::cell_free;
    }
    scene.link.multicast = roll.yes(0.3);
    scene.link.half_duplex =
        roll.one_of({half_duplex_kind::none, half_duplex_kind::d2d, half_duplex_kind::cs, half_duplex_kind::all});
    scene.link.charge_gradients = roll.yes(0.8);
    if (roll.yes(0.3)) {
        scene.mobility.kind = mobility_kind::waypoint;
        scene.mobility.speed = distribution::of(roll.log_uniform(1, 30));
        scene.mobility.step = roll.log_uniform(0.01, 1);
    } else {
        scene.mobility.speed = distribution::of(1.0);
    }
    scene.device.client.rate = {distribution::family::uniform, {0.2e9, 5e9}, {}, false};
    if (roll.yes(0.3)) {
        scene.device.client.sleep_power = distribution::of(0.1);
    }
    if (roll.yes(0.2)) {
        scene.device.client.battery = {distribution::family::uniform, {0.2, 3.0}, {}, false};
    }
    if (roll.yes(0.3)) {
        scene.round.wait = wait_kind::fraction;
        scene.round.fraction = 0.5;
    } else if (roll.yes(0.3)) {
        scene.round.wait = wait_kind::deadline;
        scene.round.deadline_s = roll.log_uniform(0.02, 2);
    }
    scene.dropout.probability = roll.yes(0.3) ? 0.1 : 0.0;
    scene.cloud.period = roll.yes(0.3) ? 1 : 0;
    scene.dropout.policy = roll.yes(0.5) ? dropout_policy::repair : dropout_policy::skip;
    if (roll.yes(0.25)) {
        using enum scheme_kind;
        scene.scheme = roll.one_of({fl, sl, splitfed, centralised});
        scene.cluster.edge_stage.reset();
        scene.dropout.policy = dropout_policy::skip;
        scene.train.labels = scene.scheme == centralised ? label_route::chain : scene.train.labels;
    }
    return scene;
}

using span_list = std::vector<std::pair<double, double>>;

void expect_disjoint(span_list spans, const std::string& what) {
    std::sort(spans.begin(), spans.end());
    for (std::size_t i = 1; i < spans.size(); ++i) {
        ASSERT_LE(spans[i - 1].second, spans[i].first + 1e-12) << what;
    }
}

/// No instant belongs to one of `a` and one of `b`.
void expect_apart(const span_list& a, const span_list& b, const std::string& what) {
    for (const auto& one : a) {
        for (const auto& other : b) {
            ASSERT_FALSE(one.first < other.second - 1e-12 && other.first < one.second - 1e-12) << what;
        }
    }
}

double length_of_union(span_list spans) {
    std::sort(spans.begin(), spans.end());
    double sum = 0.0, until = -1.0;
    for (const auto& [start, end] : spans) {
        sum += std::max(0.0, end - std::max(start, until));
        until = std::max(until, end);
    }
    return sum;
}

void check_events(const scenario& scene, const deployment& deploy, const round_forecast& round, double start,
                  const std::string& name) {
    std::map<std::pair<std::uint32_t, bool>, span_list> devices; // node, senses?
    std::map<std::pair<std::uint32_t, std::uint32_t>, span_list> links;
    std::map<std::pair<bool, std::uint32_t>, std::pair<span_list, span_list>> radios; // d2d?, node: sends, receives
    std::map<std::pair<link_class, int>, std::pair<span_list, double>> media;         // busy; sum of shares
    for (const auto& event : round.events) {
        ASSERT_GE(event.start_s, start - 1e-12) << name;
        ASSERT_GE(event.end_s, event.start_s) << name;
        ASSERT_GE(event.arrival_s, event.end_s) << name << ": no message arrives before it has left";
        ASSERT_TRUE(std::isfinite(event.energy_j) && event.energy_j >= 0.0) << name;
        const double seconds = event.end_s - event.start_s;
        if (seconds == 0.0 && event.kind != event_kind::sense) { // which may have gone on before
            ASSERT_EQ(event.energy_j, 0.0) << name << ": no energy without time";
        }
        if (event.kind == event_kind::wait) {
            continue;
        }
        const std::pair span{event.start_s, event.end_s};
        if (event.receivers == 0) {
            devices[{event.node, event.kind == event_kind::sense}].push_back(span);
            continue;
        }
        ASSERT_GE(event.share, 0.0) << name;
        ASSERT_LE(event.share, 1.0 + 1e-9) << name;
        if (event.receivers == 1) {
            links[{event.node, event.peer}].push_back(span);
            const bool d2d = event.link == link_class::d2d;
            radios[{d2d, event.node}].first.push_back(span);
            radios[{d2d, event.peer}].second.push_back(span);
        }
        auto& [busy, shares] = media[{event.link, deploy.net.nodes[event.node].edge}];
        busy.push_back(span);
        shares += event.share * seconds;
    }
    for (const auto& [which, spans] : devices) {
        expect_disjoint(spans, name + ": " + deploy.net.nodes[which.first].name + " does two things at once");
    }
    for (const auto& [ends, spans] : links) {
        expect_disjoint(spans, name + ": a link sends two messages at once");
    }
    const auto half = scene.link.half_duplex;
    for (const auto& [which, spans] : radios) {
        const auto wanted = which.first ? half_duplex_kind::d2d : half_duplex_kind::cs;
        if (half == wanted || half == half_duplex_kind::all) {
            expect_apart(spans.first, spans.second, name + ": a half-duplex radio sends while it receives");
        }
    }
    for (const auto& [which, used] : media) {
        const auto share = settings_of(scene, which.first).share;
        if (share == share_kind::equal || share == share_kind::airtime || share == share_kind::reuse) {
            const double busy = length_of_union(used.first);
            ASSERT_NEAR(used.second, busy, 1e-9 * busy + 1e-12)
                << name << ": a medium is full while somebody sends: " << name_of(which.first);
        }
    }
}

/// The critical path, back from the end of an edge's round: every part is an event that ends, or whose message arrives,
/// when the next part starts. Turns of `sl` and the cloud, which have paths of their own, are left out.
void check_critical_path(const scenario& scene, const deployment& deploy, const round_forecast& round) {
    if (scene.scheme == scheme_kind::sl || scene.cloud.period > 0) {
        return;
    }
    for (const auto& row : round.rounds) {
        double until = row.end_s;
        for (const auto& part : round.critical) {
            if (static_cast<std::uint32_t>(deploy.net.nodes[part.node].edge) != row.edge) {
                continue;
            }
            const double start = until - part.seconds;
            const bool found = std::any_of(round.events.begin(), round.events.end(), [&](const event_row& event) {
                const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, b); };
                return event.node == part.node && event.peer == part.peer && event.kind == part.kind &&
                       near(event.start_s, start) &&
                       (near(event.end_s, until) || near(event.arrival_s, until) ||
                        // A multicast has one row, whose arrival is the last one's.
                        (event.receivers > 1 && event.end_s <= until && until <= event.arrival_s));
            });
            ASSERT_TRUE(found) << deploy.net.nodes[part.node].name << ": no " << name_of(part.kind) << " from " << start
                               << " to " << until << " s";
            until = start;
        }
        EXPECT_NEAR(until, row.end_s - row.latency_s, 1e-9 * std::max(1.0, row.end_s));
    }
}

TEST(properties, hold_for_random_scenarios) {
    std::map<std::string, int> seen;
    for (std::uint32_t number = 0; number < 600; ++number) {
        const auto scene = random_scenario(number);
        const auto name = "scenario " + std::to_string(number);
        const auto deploy = lab::deploy(scene);
        ledger_run ledger(deploy);
        for (int round = 1; round <= 2; ++round) {
            const auto starts = ledger.clocks();
            const auto played = ledger.play(round);
            lab::expect_sums_agree(played, name);
            ASSERT_NO_FATAL_FAILURE(check_critical_path(scene, deploy, played)) << name;
            for (int edge = 0; edge < scene.network.edges; ++edge) {
                round_forecast part; // of one edge, since edges keep clocks of their own
                for (const auto& event : played.events) {
                    if (deploy.net.nodes[event.node].edge == edge) {
                        part.events.push_back(event);
                    }
                }
                part.rounds = {played.rounds[static_cast<std::size_t>(edge)]};
                ASSERT_NO_FATAL_FAILURE(
                    check_events(scene, deploy, part, starts[static_cast<std::size_t>(edge)], name));
                const auto& row = part.rounds.front();
                seen["cut"] += row.clusters_cut > 0;
                seen["lost"] += row.clusters_lost > 0;
                seen["repaired"] += row.clusters_repaired > 0;
                seen["empty"] += row.clusters_done == 0;
                seen["full"] += row.clusters_cut + row.clusters_lost == 0;
            }
        }
    }
    for (const auto* what : {"cut", "lost", "repaired", "empty", "full"}) {
        EXPECT_GT(seen[what], 20) << "the scenarios are to have rounds that are " << what;
    }
}

// The parts of each request's latency add up to it; what nodes sent, drew and computed is what the events say.
TEST(properties, sessions_of_inference_add_up) {
    std::map<std::string, int> seen;
    for (std::uint32_t number = 0; number < 400; ++number) {
        auto scene = random_scenario(number);
        const auto name = "scenario " + std::to_string(number);
        scenario_dice roll(10'000 + number);
        scene.service = service_kind::inference;
        scene.scheme = scene.scheme == scheme_kind::centralised ? scheme_kind::fl : scene.scheme;
        auto& infer = scene.infer;
        infer.requests = roll.pick(1, 20);
        infer.batch = roll.pick(1, 4);
        infer.in_flight = roll.pick(0, 3);
        infer.arrivals = roll.yes(0.5) ? arrival_kind::poisson : arrival_kind::burst;
        infer.rate = roll.log_uniform(1, 1000);
        infer.delivery = roll.one_of({delivery_kind::tunable, delivery_kind::full, delivery_kind::none});
        const auto deploy = lab::deploy(scene);
        const auto plan = make_inference_plan(deploy);
        inference_ledger ledger(deploy);
        double start = 0.0;
        for (int session = 1; session <= 2; ++session) {
            const auto played = ledger.play(plan, session, start);
            ASSERT_EQ(played.requests.size(), static_cast<std::size_t>(infer.requests) * deploy.net.clusters.size())
                << name;
            for (const auto& row : played.requests) {
                const double parts = row.parts["sensing"] + row.parts["queue"] + row.parts["delivery"] +
                                     row.parts["compute"] + row.parts["edge"] + row.parts["d2d"] +
                                     row.parts["cs_smashed"] + row.parts["result"] + row.parts["busy"];
                ASSERT_NEAR(parts, row.latency_s, 1e-12 + 1e-9 * row.latency_s) << name;
                for (const double part : {row.parts["sensing"], row.parts["queue"], row.parts["delivery"],
                                          row.parts["busy"], row.parts["result"]}) {
                    ASSERT_GE(part, -1e-12) << name;
                }
                seen["queue"] += row.parts["queue"] > 1e-6;
                seen["modules"] += row.parts["delivery"] > 1e-6;
                seen["busy"] += row.parts["busy"] > 1e-6;
                seen["edge"] += row.parts["edge"] > 0;
            }
            double events_j = 0, nodes_j = 0, rest_j = 0, flops_events = 0, flops_nodes = 0;
            std::uint64_t bytes_events = 0, bytes_nodes = 0;
            for (const auto& event : played.events) {
                events_j += event.energy_j;
                flops_events += event.flops;
                bytes_events += event.bytes;
                ASSERT_GE(event.start_s, start) << name;
            }
            for (const auto& node : played.nodes) {
                nodes_j += node.total_j();
                rest_j += node.total_j() - node.active_j();
                flops_nodes += node.flops;
                bytes_nodes += node.bytes_sent;
            }
            EXPECT_NEAR(events_j + rest_j, nodes_j, 1e-12 * nodes_j + 1e-15) << name;
            EXPECT_NEAR(flops_events, flops_nodes, 1e-9 * flops_nodes) << name;
            EXPECT_EQ(bytes_events, bytes_nodes) << name;
            double flops = 0.0; // each request once through its chain
            for (const auto& chain : deploy.chains) {
                for (const auto& seat : chain) {
                    flops += seat.spec.forward_flops(1) * static_cast<double>(infer.requests);
                }
            }
            EXPECT_NEAR(flops_events, flops, 1e-9 * flops) << name;
            start = *std::max_element(played.end_s.begin(), played.end_s.end());
        }
    }
    for (const auto* what : {"queue", "modules", "busy", "edge"}) {
        EXPECT_GT(seen[what], 100) << "the scenarios are to have requests that wait: " << what;
    }
}

TEST(properties, placement_changes_nothing_in_the_ledger) {
    for (std::uint32_t number = 0; number < 100; ++number) {
        auto scene = random_scenario(number);
        const auto deploy = lab::deploy(scene);
        const auto alone = ledger_run(deploy).play(1);
        for (const auto placement : {"cluster", "node"}) {
            const auto units = std::string(placement) == "node" ? deploy.net.nodes.size() : deploy.net.clusters.size();
            const int ranks = static_cast<int>(std::min<std::size_t>(3, units));
            const auto spread = ledger_run(deploy, place_nodes(placement_of(deploy, ranks), placement)).play(1);
            ASSERT_EQ(alone.rounds.front().end_s, spread.rounds.front().end_s) << number;
            ASSERT_EQ(alone.events.size(), spread.events.size()) << number;
            for (std::size_t i = 0; i < alone.events.size(); ++i) {
                ASSERT_EQ(alone.events[i].end_s, spread.events[i].end_s) << number;
                ASSERT_EQ(alone.events[i].energy_j, spread.events[i].energy_j) << number;
            }
        }
    }
}

} // namespace
} // namespace gaisnet
