// Other schemes than chains of clients, on the same nodes, links and samples.

#include "model/torch/optimizer.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "support/lab.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include <numeric>

namespace gaisnet {
namespace {

using enum scheme_kind;

scenario with(scheme_kind scheme) {
    auto scene = lab::small_scenario();
    scene.scheme = scheme;
    return scene;
}

// Where a model is cut changes no value: whole models at start points, chains, and models shared with the edge train
// alike.
TEST(scheme, federated_split_and_splitfed_learning_train_the_same_modules) {
    for (const auto* method : {"prompt_deep", "lora", "full"}) {
        auto chains = with(hfsl), alone = with(fl), shared = with(splitfed);
        chains.tuning.method = alone.tuning.method = shared.tuning.method = method;
        const auto expected = lab::run_hfsl(chains, {.rounds = 2}).models;
        EXPECT_EQ(lab::run_hfsl(alone, {.rounds = 2}).models, expected) << method;
        EXPECT_EQ(lab::run_hfsl(shared, {.rounds = 2}).models, expected) << method;
    }
}

TEST(scheme, split_learning_with_one_cluster_is_what_chains_do) {
    auto turns = with(sl), chains = with(hfsl);
    turns.network.clusters = chains.network.clusters = 1;
    EXPECT_EQ(lab::run_hfsl(turns, {.rounds = 2}).models, lab::run_hfsl(chains, {.rounds = 2}).models);
}

TEST(scheme, an_edge_alone_with_one_start_point_trains_as_the_start_point_would) {
    auto edge = with(centralised), client = with(fl);
    edge.network.clusters = client.network.clusters = 1;
    EXPECT_EQ(lab::run_hfsl(edge, {.rounds = 2}).models, lab::run_hfsl(client, {.rounds = 2}).models);
}

/// One model with one optimiser that sees the samples of one cluster after the other.
std::vector<float> one_after_another(const scenario& scene, int rounds) {
    set_torch_threads(1);
    const auto deployed = lab::deploy(scene);
    const auto backbone = lab::random_backbone(make_model(scene));
    tuned_model model(backbone, deployed.method, lab::classes);
    model.load(initial_values(model.tunables(), scene.seed, lab::weights_of(backbone)));
    optimizer step({scene.train.optimizer, scene.train.momentum, scene.train.weight_decay});
    for (int round = 0; round < rounds; ++round) {
        std::int64_t first = 0;
        for (std::size_t c = 0; c < deployed.plans.size(); ++c) {
            const auto& plan = deployed.plans[c];
            lab::random_samples samples(make_model(scene), first, plan.batch);
            for (std::int64_t b = 0; b < plan.batches_a_round; ++b) {
                const auto index = round * plan.batches_a_round + b;
                const auto batch = plan.batch_at(index);
                const auto logits = model.forward(to_torch(samples.inputs(batch)));
                const auto loss =
                    at::cross_entropy_loss(logits, to_torch(samples.labels(batch)), {}, at::Reduction::Sum) /
                    static_cast<double>(batch.of);
                run_backward(loss, {});
                step.step(model.parameters(), deployed.learning_rate(static_cast<int>(c), index));
            }
            first += plan.samples;
        }
    }
    std::vector<float> values;
    for (const auto& one : model.parameters()) {
        const auto flat = one.detach().contiguous();
        values.insert(values.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
    }
    return values;
}

TEST(scheme, split_learning_is_one_model_that_goes_from_client_to_client) {
    auto scene = with(sl);
    scene.train.momentum = 0.0;
    scene.network.clusters = 3;
    for (const auto* method : {"prompt_deep", "head", "full"}) {
        scene.tuning.method = method;
        const auto split = lab::run_hfsl(scene, {.rounds = 2});
        // An average of one is exact to one quantum of its fixed point.
        EXPECT_LT(lab::largest_difference(split.models.back(), one_after_another(scene, 2)), 1e-6) << method;
    }
    // The head is at the edge, whose optimiser goes on from cluster to cluster; clients keep their own.
    scene.train.momentum = 0.9;
    scene.tuning.method = "head";
    EXPECT_LT(lab::largest_difference(lab::run_hfsl(scene, {.rounds = 2}).models.back(), one_after_another(scene, 2)),
              1e-6);
}

TEST(scheme, every_scheme_is_the_same_on_any_ranks_and_after_a_restart) {
    for (const auto scheme : {fl, sl, splitfed, centralised}) {
        auto scene = with(scheme);
        scene.network.clusters = 3;
        lab::expect_same_everywhere(scene, "scheme " + std::to_string(static_cast<int>(scheme)));
    }
}

TEST(scheme, rounds_add_up_and_turns_follow_each_other) {
    for (const auto scheme : {fl, sl, splitfed, centralised}) {
        const auto scene = with(scheme);
        const auto deployed = lab::deploy(scene);
        ledger_run ledger(deployed);
        for (int round = 1; round <= 2; ++round) {
            lab::expect_sums_agree(ledger.play(round), std::to_string(static_cast<int>(scheme)));
        }
    }
    // Three clusters one after another take three times as long as one (the average counts one cluster each time).
    auto scene = with(sl);
    scene.network.clusters = 1;
    const auto latency = [&](int clusters, double sensing_s) {
        scene.network.clusters = clusters;
        scene.sense.time = sensing_s;
        return ledger_run(lab::deploy(scene)).play(1).rounds.front().latency_s;
    };
    const double one = latency(1, 0.0);
    EXPECT_NEAR(latency(3, 0.0), 3 * one, 1e-9 * one);
    // All start points sense from the start of the round on, so that only the first turn waits for it.
    EXPECT_NEAR(latency(3, 1e-3), 2 * one + latency(1, 1e-3), 1e-9 * one);
}

TEST(scheme, an_edge_alone_gets_the_samples_once_over_the_uplinks) {
    auto scene = with(centralised);
    scene.sample_bytes = 1000;
    const auto deployed = lab::deploy(scene, {12, 20});
    ledger_run ledger(deployed);
    const auto first = ledger.play(1);
    const auto& row = first.rounds.front();
    EXPECT_EQ(row.bytes[static_cast<std::size_t>(link_class::cs_up)], 32'000U);
    EXPECT_EQ(row.bytes[static_cast<std::size_t>(link_class::cs_down)], 0U);
    EXPECT_EQ(row.samples, 32U);
    // 20 samples: sensed at 1 ms each, sent at 50 Mbit/s with 2 ms; then the edge computes: at 1 GFLOP/s here.
    EXPECT_NEAR(row.parts["sensing"], 20e-3, 1e-12);
    EXPECT_NEAR(row.parts["upload"], 20'000 * 8 / 50e6 + 2e-3, 1e-12);
    EXPECT_NEAR(row.parts["edge"], row.edge_flops / 1e9, 1e-9);
    EXPECT_NEAR(row.latency_s, row.parts["sensing"] + row.parts["upload"] + row.parts["edge"], 1e-12);
    const auto second = ledger.play(2);
    EXPECT_EQ(second.rounds.front().bytes[static_cast<std::size_t>(link_class::cs_up)], 0U);
    EXPECT_EQ(second.rounds.front().parts["sensing"], 0.0);
}

// What an edge holds once for all clusters counts once.
TEST(scheme, an_edge_needs_memory_for_one_stage_in_turns_and_for_each_at_once) {
    const auto memory_of_edge = [](scheme_kind scheme, int clusters) {
        auto scene = with(scheme);
        scene.network.clusters = clusters;
        const auto deployed = lab::deploy(scene);
        const auto row = ledger_run(deployed).play(1).nodes.front();
        return row.total_bytes - row.temporary_bytes;
    };
    for (const auto scheme : {sl, centralised}) {
        EXPECT_EQ(memory_of_edge(scheme, 1), memory_of_edge(scheme, 3));
    }
    EXPECT_LT(memory_of_edge(splitfed, 1), memory_of_edge(splitfed, 3));
}

// Raw samples leave their start point in that scheme only.
TEST(scheme, no_other_scheme_sends_samples) {
    for (const auto scheme : {hfsl, fl, sl, splitfed}) {
        const auto scene = with(scheme);
        const auto deployed = lab::deploy(scene);
        for (const auto& event : ledger_run(deployed).play(1).events) {
            EXPECT_NE(event.kind, event_kind::send_samples);
        }
    }
}

} // namespace
} // namespace gaisnet
