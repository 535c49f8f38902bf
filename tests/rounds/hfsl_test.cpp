// The whole of hybrid federated split learning on small models: federated and split learning as special cases, any
// number of ranks and any placement, restart, and what goes over the links.

#include "model/torch/optimizer.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "support/lab.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {
namespace {

using lab::largest_difference;
using lab::run_hfsl;

struct variant {
    const char* name;
    schedule_kind schedule;
    int micro_batches;
    label_route labels;
    std::optional<int> edge_stage;
    std::vector<int> clients;
    int edges;
};

const variant variants[] = {
    {"serial", schedule_kind::serial, 1, label_route::chain, {}, {3}, 1},
    {"gpipe", schedule_kind::gpipe, 3, label_route::chain, {}, {3, 4}, 1},
    {"1f1b, labels stay", schedule_kind::one_f_one_b, 4, label_route::local, {}, {4, 2}, 1},
    {"edge as a stage", schedule_kind::gpipe, 2, label_route::chain, 2, {3, 2}, 1},
    {"edge as end point", schedule_kind::serial, 1, label_route::chain, 3, {2}, 1},
    {"one client", schedule_kind::serial, 1, label_route::local, {}, {1}, 1},
    {"two edges", schedule_kind::serial, 1, label_route::chain, {}, {2}, 2},
};

scenario scenario_of(const variant& one) {
    auto scene = lab::small_scenario();
    scene.train.schedule = one.schedule;
    scene.train.micro_batches = one.micro_batches;
    scene.train.labels = one.labels;
    scene.cluster.edge_stage = one.edge_stage;
    scene.network.clients = one.clients;
    scene.network.edges = one.edges;
    return scene;
}

TEST(hfsl, does_not_depend_on_ranks_or_placement) {
    for (const auto& one : variants) {
        auto scene = scenario_of(one);
        SCOPED_TRACE(one.name);
        const auto alone = run_hfsl(scene, {.ranks = 1, .rounds = 2});
        const auto nodes = static_cast<int>(lab::deploy(scene).net.nodes.size());
        for (const int ranks : {2, 3, nodes}) {
            if (ranks > nodes) {
                continue;
            }
            for (const auto placement : {"auto", "node"}) {
                scene.placement = placement;
                for (const int active : {1, 3}) {
                    scene.runtime.active_clusters = active;
                    const auto spread = run_hfsl(scene, {.ranks = ranks, .rounds = 2});
                    EXPECT_EQ(spread.models, alone.models) << ranks << " ranks";
                    ASSERT_EQ(spread.totals.size(), alone.totals.size());
                    for (std::size_t i = 0; i < alone.totals.size(); ++i) {
                        EXPECT_EQ(spread.totals[i].loss_sum, alone.totals[i].loss_sum);
                        EXPECT_EQ(spread.totals[i].correct, alone.totals[i].correct);
                    }
                }
            }
        }
    }
}

TEST(hfsl, training_lowers_the_loss) {
    auto scene = lab::small_scenario();
    scene.train.rounds = 6;
    const auto run = run_hfsl(scene, {.rounds = 6});
    EXPECT_LT(run.totals.back().loss_sum, 0.9 * run.totals.front().loss_sum);
}

TEST(hfsl, equal_clusters_average_to_one_of_them) {
    auto one = lab::small_scenario();
    one.network.clusters = 1;
    auto three = one;
    three.network.clusters = 3;
    const auto single = run_hfsl(one, {.same_data = true});
    const auto average = run_hfsl(three, {.same_data = true});
    // One quantum of each average: 2^-s with s = floor(62 - log2(36 * 1024)) = 46.
    EXPECT_LE(largest_difference(single.models[0], average.models[0]), 1e-7);
}

TEST(hfsl, one_cluster_is_split_learning_and_that_is_training_the_whole_model) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 1;
    const auto split = run_hfsl(scene, {.rounds = 2});

    const auto deployed = lab::deploy(scene);
    tuned_model whole(lab::random_backbone(make_model(scene)), deployed.method, lab::classes);
    const auto initial = initial_values(deployed.domain_of(0).tunables, scene.seed, {});
    whole.load(initial);
    const auto& plan = deployed.plans[0];
    lab::random_samples samples(make_model(scene), 0, plan.batch);
    optimizer step({scene.train.optimizer, scene.train.momentum, scene.train.weight_decay});
    for (std::int64_t index = 0; index < 2 * plan.batches_a_round; ++index) {
        const auto batch = plan.batch_at(index);
        const auto logits = whole.forward(to_torch(samples.inputs(batch)));
        run_backward(at::cross_entropy_loss(logits, to_torch(samples.labels(batch))), {});
        step.step(whole.parameters(), deployed.learning_rate(0, index));
    }
    std::vector<float> trained;
    for (const auto& parameter : whole.parameters()) {
        const auto flat = parameter.detach().contiguous();
        trained.insert(trained.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
    }
    EXPECT_GT(largest_difference(trained, {initial.as<float>(), initial.as<float>() + initial.elements()}), 1e-3);
    // The averages in between round to one quantum (2^-s, s = 48 for 12 samples), less than a float's last bit.
    EXPECT_LE(largest_difference(split.models.back(), trained), 1e-6);
}

TEST(hfsl, one_step_over_equal_shards_is_one_step_on_their_union) {
    auto shards = lab::small_scenario();
    shards.network.clusters = 3;
    shards.train.batch = 12;
    shards.train.momentum = 0.0;
    auto whole = shards;
    whole.network.clusters = 1;
    whole.train.batch = 36;
    const auto a = run_hfsl(shards, {.samples = {12, 12, 12}});
    const auto b = run_hfsl(whole, {.samples = {36}});
    double largest = 0.0;
    for (const auto value : b.models[0]) {
        largest = std::max(largest, static_cast<double>(std::abs(value)));
    }
    EXPECT_LE(largest_difference(a.models[0], b.models[0]), 1e-5 * largest);
}

TEST(hfsl, clusters_with_different_cuts_average_to_the_same) {
    auto equal = lab::small_scenario();
    equal.split.blocks = {{1, 3, 0}};
    auto different = equal;
    different.network.clients = {3, 2};
    different.split.blocks = {{0, 2, 2}, {4, 0}};
    EXPECT_EQ(run_hfsl(equal, {.rounds = 2}).models, run_hfsl(different, {.rounds = 2}).models);
}

TEST(hfsl, schedules_agree) {
    auto scene = lab::small_scenario();
    const auto serial = run_hfsl(scene);
    for (const auto kind : {schedule_kind::gpipe, schedule_kind::one_f_one_b}) {
        scene.train.schedule = kind;
        scene.train.micro_batches = 2;
        EXPECT_LE(largest_difference(run_hfsl(scene).models[0], serial.models[0]), 1e-5);
    }
}

TEST(hfsl, where_labels_are_does_not_change_the_model) {
    auto scene = lab::small_scenario();
    const auto travelling = run_hfsl(scene, {.rounds = 2});
    scene.train.labels = label_route::local;
    EXPECT_EQ(run_hfsl(scene, {.rounds = 2}).models, travelling.models);
}

TEST(hfsl, a_restart_changes_nothing_on_any_number_of_ranks) {
    auto scene = lab::small_scenario();
    scene.train.rounds = 4;
    for (const auto optimiser : {optimizer_kind::sgd, optimizer_kind::adamw}) {
        scene.train.optimizer = optimiser;
        scene.train.lr = optimiser == optimizer_kind::sgd ? 0.05 : 0.002;
        const auto whole = run_hfsl(scene, {.ranks = 1, .rounds = 4});
        const auto restarted = run_hfsl(scene, {.ranks = 2, .rounds = 4, .restart_after = 2, .restart_ranks = 3});
        EXPECT_EQ(restarted.models, whole.models);
    }
}

TEST(hfsl, no_raw_sample_leaves_a_start_point_and_no_label_when_labels_stay) {
    for (const auto labels : {label_route::chain, label_route::local}) {
        auto scene = lab::small_scenario();
        scene.train.labels = labels;
        scene.placement = "node";
        const auto nodes = static_cast<int>(lab::deploy(scene).net.nodes.size());
        const auto run = run_hfsl(scene, {.ranks = nodes});
        ASSERT_FALSE(run.messages.empty());
        bool labels_seen = false;
        for (const auto& seen : run.messages) {
            labels_seen = labels_seen || seen.route.kind == message_kind::label;
            // Images have four dimensions; nothing that travels has, whatever its kind says.
            EXPECT_LT(seen.shape.size(), 4U);
        }
        EXPECT_EQ(labels_seen, labels == label_route::chain);
    }
}

// Modules alone are charged and not sent: uploads are contributions to one sum over ranks, after which each of them has what
// deliveries stand for.
TEST(hfsl, what_the_ledger_charged_is_what_was_sent) {
    for (const auto& one : variants) {
        auto scene = scenario_of(one);
        scene.placement = "node";
        SCOPED_TRACE(one.name);
        const auto nodes = static_cast<int>(lab::deploy(scene).net.nodes.size());
        const auto run = run_hfsl(scene, {.ranks = nodes});
        std::uint64_t sent = 0, charged = 0, delivered = 0;
        for (const auto& seen : run.messages) {
            sent += seen.bytes;
            if (seen.route.kind == message_kind::modules) {
                EXPECT_EQ(seen.bytes, 0U);
            }
        }
        for (const auto& event : run.rounds[0].events) {
            const bool is_delivery = event.kind == event_kind::send_modules_down;
            const bool is_message =
                event.link != link_class::none && event.kind != event_kind::send_modules_up && !is_delivery;
            charged += is_message ? event.bytes : 0;
            delivered += is_delivery ? event.bytes : 0;
        }
        EXPECT_EQ(sent, charged);
        EXPECT_GT(delivered, 0U);
    }
}

TEST(hfsl, a_diverging_client_is_named) {
    auto scene = lab::small_scenario();
    scene.train.lr = 1e30;
    try {
        run_hfsl(scene, {.ranks = 2, .rounds = 2});
        FAIL() << "an average of unusable values was accepted";
    } catch (const std::exception& problem) {
        EXPECT_NE(std::string(problem.what()).find("c0."), std::string::npos) << problem.what();
    }
}

} // namespace
} // namespace gaisnet
