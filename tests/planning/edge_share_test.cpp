#include "network/clustering.hpp"
#include "planning/edge_share.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/ledger_run.hpp"
#include "support/lab.hpp"

#include <gtest/gtest.h>

namespace gaisnet {
namespace {

deployment deploy(const scenario& scene) { return lab::deploy(scene); }

/// Gives the edge some blocks of each cluster.
void share(scenario& scene, const std::vector<int>& blocks) {
    scene.cluster.formed.clear();
    auto formed = form_clusters(scene);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        formed[0][i].edge_blocks = blocks[i];
    }
    scene.cluster.formed = formed;
}

std::vector<int> shares_of(const edge_share_choice& choice) {
    std::vector<int> blocks;
    for (const auto& group : choice.formed.front()) {
        blocks.push_back(group.edge_blocks);
    }
    return blocks;
}

/// Two clusters of three; the second one's middle client, which holds all four blocks, is given in full.
scenario with_second_cluster(double memory_bytes) {
    auto scene = lab::small_scenario();
    node_override middle;
    middle.name = "c1.1";
    middle.memory = memory_bytes;
    scene.network.overrides.nodes.push_back(middle);
    return scene;
}

std::uint64_t needs(const scenario& scene, const std::string& name) {
    const auto deployed = lab::deploy(scene);
    for (const auto& row : ledger_run(deployed).play(1).nodes) {
        if (deployed.net.nodes[row.node].name == name) {
            return row.total_bytes;
        }
    }
    return 0;
}

TEST(edge_share, clients_that_suffice_get_no_help) {
    EXPECT_EQ(shares_of(choose_edge_shares(lab::small_scenario(), deploy)), (std::vector<int>{0, 0}));
}

TEST(edge_share, the_edge_takes_as_few_blocks_as_memory_needs) {
    // Fine-tuning is what needs most with one block fewer each time.
    for (int blocks = 1; blocks <= 3; ++blocks) {
        auto helped = lab::small_scenario();
        share(helped, {0, blocks});
        const auto scene = with_second_cluster(static_cast<double>(needs(helped, "c1.1")));
        const auto choice = choose_edge_shares(scene, deploy);
        EXPECT_EQ(shares_of(choice), (std::vector<int>{0, blocks}));
        EXPECT_TRUE(choice.lacking.empty());
    }
    // The same client may do for inference, which needs less.
    auto helped = lab::small_scenario();
    share(helped, {0, 1});
    auto scene = with_second_cluster(static_cast<double>(needs(helped, "c1.1")));
    scene.service = service_kind::inference;
    EXPECT_EQ(shares_of(choose_edge_shares(scene, deploy)), (std::vector<int>{0, 0}));
}

TEST(edge_share, what_nothing_helps_is_told) {
    auto scene = lab::small_scenario(); // the start point keeps the embedding whatever the edge does
    node_override start_point;
    start_point.name = "c1.0";
    start_point.memory = 100.0;
    scene.network.overrides.nodes.push_back(start_point);
    const auto choice = choose_edge_shares(scene, deploy);
    EXPECT_EQ(shares_of(choice), (std::vector<int>{0, 4}));
    EXPECT_EQ(choice.lacking, std::vector<std::string>{"c1"});
}

TEST(edge_share, a_slow_cluster_gets_help_until_it_meets_its_deadline) {
    auto scene = lab::small_scenario();
    node_override slow{"c1.1", {}, 2e7, {}, {}, {}, {}, {}, {}, {}};
    scene.network.overrides.nodes.push_back(slow);
    scene.device.edge.rate = distribution::of(1e12);
    const auto deployed = lab::deploy(scene);
    const double alone = ledger_run(deployed).play(1).rounds.front().latency_s;
    scene.round.wait = wait_kind::deadline;
    scene.round.deadline_s = 0.7 * alone;
    const auto choice = choose_edge_shares(scene, deploy);
    EXPECT_EQ(shares_of(choice)[0], 0);
    EXPECT_GT(shares_of(choice)[1], 0);
    EXPECT_TRUE(choice.lacking.empty());
    scene.cluster.formed = choice.formed;
    const auto helped = lab::deploy(scene);
    EXPECT_EQ(ledger_run(helped).play(1).rounds.front().clusters_done, 2U);
    scene.cluster.formed[0][1].edge_blocks -= 1; // one block fewer would not do
    const auto less = lab::deploy(scene);
    EXPECT_EQ(ledger_run(less).play(1).rounds.front().clusters_done, 1U);
}

TEST(edge_share, requests_that_take_too_long_need_the_edge) {
    auto scene = lab::small_scenario();
    scene.service = service_kind::inference;
    scene.infer.requests = 5;
    scene.infer.arrivals = arrival_kind::burst;
    scene.infer.batch = 1;
    node_override slow{"c1.1", {}, 2e7, {}, {}, {}, {}, {}, {}, {}};
    scene.network.overrides.nodes.push_back(slow);
    scene.device.edge.rate = distribution::of(1e12);
    const auto mean = [](const scenario& some, std::uint32_t cluster) {
        const auto deployed = lab::deploy(some);
        double sum = 0.0;
        for (const auto& row : inference_ledger(deployed).play(make_inference_plan(deployed)).requests) {
            sum += row.cluster == cluster ? row.latency_s / 5 : 0.0;
        }
        return sum;
    };
    EXPECT_EQ(shares_of(choose_edge_shares(scene, deploy)), (std::vector<int>{0, 0})) << "there is no deadline";
    scene.infer.deadline_s = 0.6 * mean(scene, 1);
    ASSERT_LT(mean(scene, 0), scene.infer.deadline_s);
    const auto choice = choose_edge_shares(scene, deploy);
    EXPECT_EQ(shares_of(choice)[0], 0);
    EXPECT_GT(shares_of(choice)[1], 0);
    scene.cluster.formed = choice.formed;
    EXPECT_LE(mean(scene, 1), scene.infer.deadline_s);
}

// An edge's stage changes who computes, and no value.
TEST(edge_share, a_share_of_the_edge_trains_the_same_modules) {
    auto scene = lab::small_scenario();
    const auto expected = lab::run_hfsl(scene, {.rounds = 2}).models;
    share(scene, {1, 3});
    EXPECT_EQ(lab::run_hfsl(scene, {.rounds = 2}).models, expected);
    share(scene, {4, 0});
    scene.train.labels = label_route::local;
    EXPECT_EQ(lab::run_hfsl(scene, {.rounds = 2}).models, expected);
    scene.network.clients = {1};
    share(scene, {4, 0});
    EXPECT_EQ(lab::run_hfsl(scene, {.rounds = 2}).models, expected) << "chains of one client";
}

} // namespace
} // namespace gaisnet
