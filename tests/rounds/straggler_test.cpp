// Rounds that close before all have ended, drop-outs and batteries: what the ledger decides, what it charges, and that the
// tensors follow it.

#include "support/lab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

namespace gaisnet {
namespace {

using lab::expect_sums_agree;
using lab::largest_difference;
using lab::run_hfsl;

/// Three clusters of three; a client of the last one is fifty times slower than the others.
scenario with_a_straggler() {
    auto scene = lab::small_scenario();
    scene.network.clusters = 3;
    node_override slow;
    slow.name = "c2.1";
    slow.rate = 2e7;
    scene.network.overrides.nodes = {slow};
    return scene;
}

std::vector<cluster_outcome> outcomes(const round_forecast& round, const deployment& deploy) {
    std::vector<cluster_outcome> out(deploy.net.clusters.size());
    for (const auto& node : round.nodes) {
        if (deploy.net.nodes[node.node].cluster >= 0) {
            out[static_cast<std::size_t>(deploy.net.nodes[node.node].cluster)] = node.outcome;
        }
    }
    return out;
}

using enum cluster_outcome;
using fates = std::vector<cluster_outcome>;

TEST(stragglers, a_round_that_waits_for_a_part_closes_with_the_last_of_them) {
    auto scene = with_a_straggler();
    const auto deploy = lab::deploy(scene);
    const auto all = ledger_run(deploy).play(1);
    scene.round.wait = wait_kind::fraction;
    scene.round.fraction = 0.6; // two of three
    const auto deploy_part = lab::deploy(scene);
    const auto part = ledger_run(deploy_part).play(1);
    EXPECT_EQ(outcomes(all, deploy), (fates{done, done, done}));
    EXPECT_EQ(outcomes(part, deploy_part), (fates{done, done, cut}));
    EXPECT_EQ(part.rounds[0].clusters_done, 2U);
    EXPECT_EQ(part.rounds[0].clusters_cut, 1U);
    EXPECT_EQ(part.rounds[0].samples, 24U);
    EXPECT_TRUE(part.decisions.fates[0].plays && part.decisions.fates[1].plays && !part.decisions.fates[2].plays);
    EXPECT_LT(part.rounds[0].latency_s, 0.5 * all.rounds[0].latency_s);
    expect_sums_agree(all);
    expect_sums_agree(part);
    // Up to its close the round is the same; what was under way then is charged up to then.
    const double close = part.rounds[0].end_s;
    std::size_t cut_events = 0;
    for (const auto& event : part.events) {
        EXPECT_LE(event.end_s, close + 1e-12);
        cut_events += event.cut;
    }
    EXPECT_GE(cut_events, 1U);
    const auto before_close = std::count_if(all.events.begin(), all.events.end(), [&](const event_row& event) {
        return event.end_s < close - 1e-9 && event.kind != event_kind::aggregate;
    });
    const auto whole = std::count_if(part.events.begin(), part.events.end(), [](const event_row& event) {
        return !event.cut && event.kind != event_kind::aggregate;
    });
    EXPECT_NEAR(static_cast<double>(whole), static_cast<double>(before_close), 2);
}

TEST(stragglers, a_cut_cluster_is_not_in_the_average_and_starts_again_from_the_round_s_start) {
    auto scene = with_a_straggler();
    scene.round.wait = wait_kind::fraction;
    scene.round.fraction = 0.6;
    const auto cut_run = run_hfsl(scene, {.rounds = 2});
    auto two = lab::small_scenario(); // the same without the third cluster
    const auto without = run_hfsl(two, {.rounds = 2});
    for (std::size_t round = 0; round < 2; ++round) {
        EXPECT_LT(largest_difference(cut_run.models[round], without.models[round]), 1e-6);
    }
    EXPECT_EQ(cut_run.totals[2].predictions, 0) << "the cut cluster trained on nothing that counts";
}

TEST(stragglers, a_deadline_that_nobody_meets_leaves_the_model_as_it_was) {
    auto scene = with_a_straggler();
    scene.round.wait = wait_kind::deadline;
    scene.round.deadline_s = 0.02;
    const auto run = run_hfsl(scene, {.rounds = 2});
    const auto& row = run.rounds[0].rounds[0];
    EXPECT_EQ(row.clusters_done, 0U);
    EXPECT_EQ(row.clusters_cut, 3U);
    EXPECT_DOUBLE_EQ(row.latency_s, 0.02);
    EXPECT_DOUBLE_EQ(row.parts["wait"], 0.02);
    EXPECT_EQ(row.samples, 0U);
    EXPECT_TRUE(run.rounds[0].decisions.averages.empty());
    EXPECT_EQ(run.models[0], run.models[1]);
    expect_sums_agree(run.rounds[0]);
    EXPECT_NEAR(run.rounds[1].rounds[0].end_s, 0.04, 1e-12);
}

TEST(stragglers, a_deadline_between_cuts_the_slow_one_and_the_edge_waits_for_it) {
    auto scene = with_a_straggler();
    const auto deploy_all = lab::deploy(scene);
    const auto all = ledger_run(deploy_all).play(1);
    scene.round.wait = wait_kind::fraction;
    scene.round.fraction = 0.6;
    const auto deploy_two = lab::deploy(scene);
    const double fast = ledger_run(deploy_two).play(1).rounds[0].latency_s;
    scene.round.wait = wait_kind::deadline;
    scene.round.deadline_s = 0.5 * (fast + all.rounds[0].latency_s);
    const auto deploy = lab::deploy(scene);
    const auto played = ledger_run(deploy).play(1);
    EXPECT_EQ(outcomes(played, deploy), (fates{done, done, cut}));
    const auto& row = played.rounds[0];
    EXPECT_NEAR(row.latency_s - row.parts["edge"], scene.round.deadline_s, 1e-12);
    EXPECT_NEAR(row.parts["wait"], scene.round.deadline_s - (fast - row.parts["edge"]), 1e-12);
    expect_sums_agree(played);
    // A deadline after all have ended changes nothing.
    scene.round.deadline_s = 2 * all.rounds[0].latency_s;
    const auto deploy_late = lab::deploy(scene);
    EXPECT_EQ(ledger_run(deploy_late).play(1).rounds[0].latency_s, all.rounds[0].latency_s);
}

TEST(dropouts, a_lost_client_ends_its_cluster_s_round_at_the_next_batch) {
    auto scene = with_a_straggler();
    scene.dropout.schedule = {{"c1.1", 1.4}, {"c0.0", 2.0}};
    const auto run = run_hfsl(scene, {.rounds = 3, .samples = {12, 12, 12}});
    const auto deploy = lab::deploy(scene);
    EXPECT_EQ(outcomes(run.rounds[0], deploy), (fates{done, lost, done}));
    EXPECT_EQ(outcomes(run.rounds[1], deploy), (fates{lost, done, done}));
    EXPECT_EQ(outcomes(run.rounds[2], deploy), (fates{done, done, done})) << "it is back in the next round";
    const auto steps = [&](const round_forecast& round, const std::string& name) {
        return std::count_if(round.events.begin(), round.events.end(), [&](const event_row& event) {
            return deploy.net.nodes[event.node].name == name && event.kind == event_kind::forward;
        });
    };
    // 12 samples in batches of 4: at 0.4 of three batches the second one is under way, and is finished.
    EXPECT_EQ(steps(run.rounds[0], "c1.1"), 2);
    EXPECT_EQ(steps(run.rounds[0], "c0.1"), 3);
    EXPECT_EQ(steps(run.rounds[1], "c0.1"), 0) << "lost at the start of the round";
    for (const auto& round : run.rounds) {
        expect_sums_agree(round);
    }
    // It draws no power once it is lost.
    const auto base = [&](const round_forecast& round, const std::string& name) {
        for (const auto& node : round.nodes) {
            if (deploy.net.nodes[node.node].name == name) {
                return node.base_j;
            }
        }
        return -1.0;
    };
    EXPECT_LT(base(run.rounds[0], "c1.1"), 0.9 * base(run.rounds[0], "c1.0"));
    EXPECT_DOUBLE_EQ(base(run.rounds[0], "c1.0"), 0.25 * run.rounds[0].rounds[0].latency_s);
}

TEST(dropouts, happen_as_often_as_their_probability_says) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 50;
    scene.dropout.probability = 0.1;
    const auto net = make_topology(scene);
    int lost = 0;
    std::set<std::int64_t> moments;
    for (int round = 1; round <= 40; ++round) {
        for (const auto& losses : draw_dropouts(scene, net, std::vector<std::int64_t>(50, 10), round)) {
            lost += losses.empty() ? 0 : 1;
            for (const auto& one : losses) {
                moments.insert(one.before_batch);
            }
        }
    }
    const double expected = 1 - std::pow(0.9, 3); // of a cluster of three
    EXPECT_NEAR(lost / 2000.0, expected, 5 * std::sqrt(expected * (1 - expected) / 2000));
    EXPECT_EQ(moments.size(), 10U) << "after the first to the tenth batch";
}

TEST(batteries, a_client_whose_battery_is_empty_drops_out_for_good) {
    auto scene = lab::small_scenario();
    scene.train.rounds = 6;
    const auto mains = lab::deploy(scene);
    const auto usual = ledger_run(mains).play(1);
    double a_round = 0;
    for (const auto& node : usual.nodes) {
        if (mains.net.nodes[node.node].name == "c1.1") {
            a_round = node.total_j();
        }
    }
    node_override small;
    small.name = "c1.1";
    small.battery = 2.5 * a_round;
    scene.network.overrides.nodes = {small};
    const auto run = run_hfsl(scene, {.rounds = 5});
    const auto deploy = lab::deploy(scene);
    EXPECT_EQ(outcomes(run.rounds[1], deploy), (fates{done, done}));
    EXPECT_EQ(outcomes(run.rounds[2], deploy), (fates{done, lost}));
    EXPECT_EQ(outcomes(run.rounds[3], deploy), (fates{done, lost}));
    double drawn = 0;
    for (const auto& round : run.rounds) {
        expect_sums_agree(round);
        for (const auto& node : round.nodes) {
            if (deploy.net.nodes[node.node].name == "c1.1") {
                drawn += node.total_j();
                EXPECT_NEAR(node.battery_j, std::max(0.0, 2.5 * a_round - drawn), 1e-9);
            }
        }
    }
    EXPECT_GE(drawn, 2.5 * a_round);
    EXPECT_LT(drawn, 2.5 * a_round + a_round / 3 * 1.2) << "the batch in which it ends is finished";
    const auto& last = run.rounds[4];
    for (const auto& node : last.nodes) {
        if (deploy.net.nodes[node.node].name == "c1.1") {
            EXPECT_EQ(node.total_j(), 0.0);
        }
        if (deploy.net.nodes[node.node].name == "c1.0") {
            EXPECT_EQ(node.bytes_received, 0U) << "nothing is sent to a cluster that cannot work";
        }
    }
}

TEST(batteries, all_that_are_empty_in_a_round_count) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 3;
    scene.network.overrides.nodes.resize(2);
    scene.network.overrides.nodes[0].name = "c0.1";
    scene.network.overrides.nodes[1].name = "c2.1";
    scene.network.overrides.nodes[0].battery = 0.02;
    scene.network.overrides.nodes[1].battery = 0.03;
    const auto deploy = lab::deploy(scene);
    ledger_run some(deploy);
    const auto played = some.play(1);
    EXPECT_EQ(outcomes(played, deploy), (fates{lost, done, lost}));
    expect_sums_agree(played);
    EXPECT_TRUE(some.anyone_left());
    scene.network.overrides.nodes.clear();
    scene.device.client.battery = distribution::of(1e-6);
    const auto without = lab::deploy(scene);
    ledger_run none(without);
    EXPECT_TRUE(none.anyone_left());
    EXPECT_EQ(outcomes(none.play(1), without), (fates{lost, lost, lost}));
    EXPECT_FALSE(none.anyone_left());
}

TEST(batteries, a_repaired_chain_goes_on_until_nobody_can_take_over) {
    auto scene = lab::small_scenario();
    scene.dropout.policy = dropout_policy::repair;
    for (const auto& node : lab::deploy(scene).net.nodes) {
        if (node.role == node_role::client && node.name != "c0.0" && node.name != "c0.1") {
            node_override empty;
            empty.name = node.name;
            empty.battery = 1e-6;
            scene.network.overrides.nodes.push_back(empty);
        }
    }
    const auto deploy = lab::deploy(scene);
    ledger_run run(deploy);
    run.play(1);
    EXPECT_TRUE(run.anyone_left()) << "c0.1 takes over what c0.2 held";
}

TEST(partial_rounds, are_the_same_on_any_number_of_ranks_and_after_a_restart) {
    struct variant {
        const char* name;
        std::function<void(scenario&)> change;
    };
    const variant variants[] = {
        {"fraction",
         [](scenario& scene) {
             scene.round.wait = wait_kind::fraction;
             scene.round.fraction = 0.6;
         }},
        {"deadline nobody meets",
         [](scenario& scene) {
             scene.round.wait = wait_kind::deadline;
             scene.round.deadline_s = 0.02;
         }},
        {"dropouts",
         [](scenario& scene) {
             scene.dropout.probability = 0.15;
             scene.dropout.schedule = {{"c1.1", 1.4}};
         }},
        {"edge as a stage, and two edges",
         [](scenario& scene) {
             scene.network.edges = 2;
             scene.network.overrides.nodes.front().name = "e1.c2.1";
             scene.cluster.edge_stage = 2;
             scene.round.wait = wait_kind::fraction;
             scene.round.fraction = 0.6;
         }},
        {"battery",
         [](scenario& scene) {
             scene.device.client.battery = distribution{distribution::family::uniform, {0.05, 0.4}, {}, false};
         }},
    };
    for (const auto& one : variants) {
        auto scene = with_a_straggler();
        one.change(scene);
        const auto alone = lab::expect_same_everywhere(scene, one.name);
        EXPECT_NE(alone.rounds[0].rounds[0].clusters_done + alone.rounds[2].rounds[0].clusters_done, 6U) << one.name;
    }
}

} // namespace
} // namespace gaisnet
