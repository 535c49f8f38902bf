// Clusters that compute together (runtime.fuse): which ones do, that they train what they train one by one, and that the
// bits depend on the scenario alone.

#include "base/registry.hpp"
#include "model/torch/torch_support.hpp"
#include "roles/fusion.hpp"
#include "support/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

using lab::lab_options;
using lab::largest_difference;
using lab::run_hfsl;
using testing::ElementsAre;

scenario clusters_of(std::vector<int> clients, int fuse) {
    auto scene = lab::small_scenario();
    scene.network.clusters = static_cast<int>(clients.size());
    scene.network.clients = std::move(clients);
    scene.runtime.fuse = {false, fuse};
    return scene;
}

TEST(fusion, groups_are_neighbours_whose_chains_are_alike) {
    EXPECT_THAT(lab::deploy(clusters_of({2, 2, 2, 2, 2}, 2)).groups, ElementsAre(0, 0, 2, 2, 4));
    EXPECT_THAT(lab::deploy(clusters_of({2, 3, 2, 3, 2}, 4)).groups, ElementsAre(0, 1, 0, 1, 4));
    EXPECT_THAT(lab::deploy(clusters_of({2, 2, 2}, 1)).groups, ElementsAre(0, 1, 2));
    auto edges = clusters_of({2, 2}, 10);
    edges.network.edges = 2;
    EXPECT_THAT(lab::deploy(edges).groups, ElementsAre(0, 0, 2, 2)) << "domains have heads of their own";
    auto turns = clusters_of({2, 2}, 2);
    turns.scheme = scheme_kind::sl;
    EXPECT_THAT(lab::deploy(turns).groups, ElementsAre(0, 1));
    auto full = clusters_of({2, 2}, 2);
    full.tuning.method = "full";
    EXPECT_THAT(lab::deploy(full).groups, ElementsAre(0, 1));
}

// A client that holds nothing is in no chain, so chains of the same cuts may be at other places of their clusters. A rank
// has to hold all stages of a group.
TEST(fusion, stages_of_a_group_are_on_one_rank) {
    auto scene = clusters_of({4, 4, 4}, 3);
    scene.split.blocks = {{2, 2, 0, 0}, {2, 0, 2, 0}, {2, 2, 0, 0}};
    const auto deployed = lab::deploy(scene);
    EXPECT_THAT(deployed.groups, ElementsAre(0, 1, 0));
    for (const int ranks : {2, 3, 4}) {
        const auto rank_of = place_nodes(placement_of(deployed, ranks), "node");
        for (std::size_t c = 0; c < deployed.chains.size(); ++c) {
            const auto& leader = deployed.chains[deployed.groups[c]];
            for (std::size_t i = 0; i < leader.size(); ++i) {
                EXPECT_EQ(rank_of[deployed.chains[c][i].node], rank_of[leader[i].node]) << c << ", " << ranks;
            }
        }
    }
}

// The rule, with numbers of its own: a 16th of an edge's clusters, and 32 MB of what autograd keeps of a batch.
TEST(fusion, automatic_groups_follow_from_model_and_clusters) {
    const auto largest = [](const scenario& scene) {
        const auto groups = lab::deploy(scene).groups;
        std::map<int, int> sizes;
        int most = 0;
        for (const int group : groups) {
            most = std::max(most, ++sizes[group]);
        }
        return most;
    };
    auto scene = clusters_of(std::vector<int>(31, 2), 1);
    scene.runtime.fuse = {};
    EXPECT_EQ(largest(scene), 1);
    scene.network.clusters = 48;
    scene.network.clients.assign(48, 2);
    EXPECT_EQ(largest(scene), 3);
    const auto deployed = lab::deploy(scene);
    const auto kept = whole_model(deployed.model, deployed.method, 2).retained_bytes(1);
    scene.train.batch = static_cast<int>(16'000'000 / kept);
    EXPECT_EQ(largest(scene), 2);
    scene.train.batch *= 3;
    EXPECT_EQ(largest(scene), 1);
}

struct unlike {
    const char* name;
    std::vector<std::int64_t> samples; ///< By cluster; batches of 4.
};

TEST(fusion, clusters_with_other_numbers_of_samples_train_what_they_train_alone) {
    for (const auto& [name, samples] : std::vector<unlike>{{"equal", {8, 8, 8, 8}},
                                                           {"smaller last batches", {7, 8, 6, 7}},
                                                           {"fewer batches", {12, 4, 8, 12}},
                                                           {"those between others end first", {12, 4, 12, 3}}}) {
        for (const auto kind : {optimizer_kind::sgd, optimizer_kind::adamw}) {
            for (const int micro_batches : {1, 3}) {
                auto scene = clusters_of({3, 3, 3, 3}, 1);
                scene.train.batch = 4;
                scene.train.epochs = 2;
                scene.train.optimizer = kind;
                scene.train.weight_decay = 0.01;
                scene.train.schedule = micro_batches > 1 ? schedule_kind::one_f_one_b : schedule_kind::serial;
                scene.train.micro_batches = micro_batches;
                SCOPED_TRACE(std::string(name) + ", " + std::to_string(micro_batches));
                const auto alone = run_hfsl(scene, {.rounds = 2, .samples = samples});
                scene.runtime.fuse = {false, 4};
                const auto together = run_hfsl(scene, {.rounds = 2, .samples = samples});
                EXPECT_GT(together.joint, 0U);
                for (std::size_t i = 0; i < alone.models.size(); ++i) {
                    EXPECT_LT(largest_difference(alone.models[i], together.models[i]), 1e-5);
                }
                for (std::size_t i = 0; i < alone.totals.size(); ++i) {
                    EXPECT_NEAR(alone.totals[i].loss_sum, together.totals[i].loss_sum, 1e-4);
                    EXPECT_EQ(alone.totals[i].predictions, together.totals[i].predictions);
                }
                scene.placement = "node";
                for (const int ranks : {2, 3}) {
                    const auto spread = run_hfsl(scene, {.ranks = ranks, .rounds = 2, .samples = samples});
                    EXPECT_EQ(together.models, spread.models) << ranks;
                    for (std::size_t i = 0; i < together.totals.size(); ++i) {
                        EXPECT_EQ(together.totals[i].loss_sum, spread.totals[i].loss_sum);
                    }
                }
            }
        }
    }
}

/// Computations of a chain of three in a round: four batches of forward and backward at each stage, and steps.
TEST(fusion, one_computation_serves_the_whole_group) {
    auto scene = clusters_of(std::vector<int>(6, 3), 3);
    const auto by_three = run_hfsl(scene);
    scene.runtime.fuse = {false, 6};
    const auto by_six = run_hfsl(scene);
    EXPECT_EQ(by_three.computations, 2 * by_six.computations);
    EXPECT_EQ(by_six.joint, by_six.computations) << "each was for several";
    scene.runtime.fuse = {false, 1};
    const auto alone = run_hfsl(scene);
    EXPECT_EQ(alone.joint, 0U);
    EXPECT_EQ(alone.computations, 6 * by_six.computations);
}

TEST(fusion, a_lost_client_makes_its_cluster_compute_alone) {
    auto scene = clusters_of({3, 3, 3}, 1);
    scene.train.batch = 3;
    scene.dropout.policy = dropout_policy::repair;
    scene.dropout.schedule = {{"c1.1", 1.5}};
    scene.link.d2d.rate = distribution::of(1e6);
    lab::expect_same_everywhere(scene, "repair"); // also together
    const auto alone = run_hfsl(scene);
    scene.runtime.fuse = {false, 3};
    const auto others = run_hfsl(scene);
    EXPECT_GT(others.joint, 0U);
    EXPECT_GT(others.computations, others.joint);
    EXPECT_LT(others.computations, alone.computations);
}

/// Batches of 4, 4 and 3 samples.
scenario pipelined(std::vector<int> clients, int fuse) {
    auto scene = clusters_of(std::move(clients), fuse);
    scene.train.batch = 4;
    scene.train.schedule = schedule_kind::one_f_one_b;
    scene.train.micro_batches = 3;
    scene.placement = "cluster";
    return scene;
}

TEST(merged_micro_batches, train_the_same_and_are_charged_one_by_one) {
    for (const auto* method : registry<tuning_entry>::all()) {
        const std::string name = method->name;
        for (const int fuse : {1, 3}) {
            if (name == "none" || (fuse > 1 && name == "full")) {
                continue;
            }
            SCOPED_TRACE(name + ", " + std::to_string(fuse));
            auto scene = pipelined({3, 3, 3}, fuse);
            scene.tuning.method = name;
            const lab_options options{.rounds = 2, .samples = {11, 11, 11}};
            const auto divided = run_hfsl(scene, options);
            scene.runtime.merge_micro_batches = true;
            const auto whole = run_hfsl(scene, options);
            EXPECT_LT(whole.computations, divided.computations);
            EXPECT_EQ(whole.rounds.back().rounds[0].end_s, divided.rounds.back().rounds[0].end_s);
            EXPECT_EQ(whole.rounds.back().events.size(), divided.rounds.back().events.size());
            for (std::size_t i = 0; i < whole.models.size(); ++i) {
                EXPECT_LT(largest_difference(whole.models[i], divided.models[i]), 1e-5);
            }
            for (std::size_t i = 0; i < whole.totals.size(); ++i) {
                EXPECT_NEAR(whole.totals[i].loss_sum, divided.totals[i].loss_sum, 1e-4);
                EXPECT_EQ(whole.totals[i].predictions, divided.totals[i].predictions);
            }
            if (fuse == 1) {
                auto spread = options;
                spread.ranks = 3;
                EXPECT_EQ(whole.models, run_hfsl(scene, spread).models);
            }
        }
    }
}

TEST(merged_micro_batches, work_when_a_client_is_lost_and_its_chain_repaired) {
    auto scene = pipelined({3, 3, 3}, 1);
    scene.dropout.policy = dropout_policy::repair;
    scene.dropout.schedule = {{"c1.1", 1.5}};
    scene.link.d2d.rate = distribution::of(1e6);
    const auto divided = run_hfsl(scene);
    scene.runtime.merge_micro_batches = true;
    const auto whole = run_hfsl(scene);
    EXPECT_EQ(whole.rounds.back().rounds[0].end_s, divided.rounds.back().rounds[0].end_s);
    for (std::size_t i = 0; i < whole.models.size(); ++i) {
        EXPECT_LT(largest_difference(whole.models[i], divided.models[i]), 1e-5);
    }
    EXPECT_EQ(whole.models, run_hfsl(scene, {.ranks = 3}).models);
}

TEST(merged_micro_batches, need_whole_chains_on_ranks) {
    auto scene = pipelined({3, 3}, 1);
    scene.runtime.merge_micro_batches = true;
    const auto deployed = lab::deploy(scene);
    EXPECT_NO_THROW(check_merging(deployed, place_nodes(placement_of(deployed, 2), "cluster")));
    try {
        check_merging(deployed, place_nodes(placement_of(deployed, 2), "node"));
        FAIL() << "chains are cut";
    } catch (const usage_error& problem) {
        EXPECT_THAT(problem.what(), testing::HasSubstr("the chain of cluster c0 lies on several ranks"));
        EXPECT_THAT(problem.what(), testing::HasSubstr("placement = cluster is accepted"));
    }
}

TEST(fusion, outputs_that_never_change_are_cached_by_cluster) {
    auto scene = clusters_of({2, 2, 2}, 3);
    scene.tuning.method = "head";
    scene.train.epochs = 3;
    const auto computed = run_hfsl(scene, {.rounds = 2});
    scene.train.cache = true;
    const auto cached = run_hfsl(scene, {.rounds = 2});
    EXPECT_EQ(computed.models, cached.models);
    EXPECT_EQ(run_hfsl(scene, {.ranks = 2, .rounds = 2}).models, cached.models);
}

} // namespace
} // namespace gaisnet
