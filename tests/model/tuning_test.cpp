// What each tuning method tunes, delivers and sends, by closed forms; and that no rank count changes what it trains.

#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "roles/stage_role.hpp"
#include "support/lab.hpp"
#include "support/tuned.hpp"
#include "support/vits.hpp"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace gaisnet {
namespace {

/// Parameters beside the head, by hand: d the width, h the MLP's hidden width, n the number of blocks.
std::int64_t closed_form(const tuning_settings& tuning, const foundation_model& model) {
    const auto d = model.dim(), h = 4 * d, n = model.depth(), p = tuning.prompts, b = tuning.bottleneck;
    if (tuning.method == "prompt_deep") {
        return n * p * d;
    }
    if (tuning.method == "prompt_shallow") {
        return p * d;
    }
    if (tuning.method == "prefix") {
        return n * 2 * p * d;
    }
    if (tuning.method == "adapter") {
        return n * 2 * (2 * d * b + b + d);
    }
    if (tuning.method == "lora") {
        std::int64_t sum = 0;
        for (const auto layer : tuning.targets) {
            const bool wide = layer == block_linear::fc1 || layer == block_linear::fc2;
            sum += n * *tuning.rank.fixed() * (d + (wide ? h : d));
        }
        return sum;
    }
    if (tuning.method == "full") {
        const auto embedding = d + model.tokens() * d + model.token_fan_in() * d + d;
        const auto block = 2 * 2 * d + 3 * d * d + 3 * d + d * d + d + d * h + h + h * d + d;
        return embedding + n * block + 2 * d;
    }
    return 0; // the head alone
}

TEST(tuning, parameters_and_what_is_delivered_and_uploaded) {
    auto scene = lab::small_scenario();
    for (const auto& tuning : lab::every_tuning()) {
        SCOPED_TRACE(tuning.method);
        scene.tuning = tuning;
        const auto deploy = lab::deploy(scene);
        const auto head = lab::classes * (scene.model.dim + 1);
        EXPECT_EQ(deploy.domain_of(0).elements, closed_form(tuning, *deploy.model) + head);
        const auto played = ledger_run(deploy).play(1);
        const auto bytes = static_cast<std::uint64_t>(2 * 4 * deploy.domain_of(0).elements); // two clusters, float32
        EXPECT_EQ(played.rounds[0].bytes[static_cast<std::size_t>(link_class::cs_down)], bytes);
        EXPECT_EQ(played.rounds[0].bytes[static_cast<std::size_t>(link_class::cs_up)], bytes);
        lab::expect_sums_agree(played);
    }
}

TEST(tuning, of_vit_base) {
    const auto vit_base = make_vit(224, 16, 768, 12, 12, "vit_base");
    const auto tuned = [&](tuning_settings tuning) {
        return whole_model(vit_base, tuned_by(tuning), 1).tunable_elements() - 769;
    };
    EXPECT_EQ(tuned({.method = "prompt_deep", .prompts = 10}), 92'160);
    EXPECT_EQ(tuned({.method = "lora", .rank = 4}), 147'456); // query and value, as in the paper's ViT experiments
    EXPECT_EQ(tuned({.method = "full"}), 85'798'656);
    EXPECT_EQ(tuned({.method = "head"}), 0);
}

TEST(tuning, smashed_data_and_gradients_follow_the_method) {
    auto scene = lab::small_scenario();
    scene.split.blocks = {{1, 2, 1}};
    const auto sent = [&](const char* method, event_kind kind) {
        scene.tuning.method = method;
        const auto deploy = lab::deploy(scene);
        std::uint64_t bytes = 0;
        for (const auto& event : ledger_run(deploy).play(1).events) {
            bytes += event.kind == kind ? event.bytes : 0;
        }
        return bytes;
    };
    const auto tokens = static_cast<std::uint64_t>(make_model(scene)->tokens());
    const auto usual = sent("lora", event_kind::send_forward);
    EXPECT_EQ(sent("prompt_deep", event_kind::send_forward), usual);
    EXPECT_EQ(sent("prompt_shallow", event_kind::send_forward), usual * (tokens + 3) / tokens) << "prompts travel";
    EXPECT_EQ(sent("head", event_kind::send_gradient), 0U) << "nothing before the head is tuned";
    EXPECT_EQ(sent("lora", event_kind::send_gradient), usual);
    EXPECT_EQ(sent("full", event_kind::send_gradient), usual);
}

/// Two clusters of three clients that hold blocks 1, 2 and 1 of four, with ranks of their own.
scenario unequal_ranks(rank_average average) {
    auto scene = lab::small_scenario();
    scene.train.rounds = 3;
    scene.split.blocks = {{1, 2, 1}};
    scene.tuning.method = "lora";
    scene.tuning.average = average;
    for (const auto& [name, rank] :
         {std::pair{"c0.0", 4}, {"c0.1", 1}, {"c0.2", 2}, {"c1.0", 2}, {"c1.1", 3}, {"c1.2", 1}}) {
        node_override one;
        one.name = name;
        one.rank = rank;
        scene.network.overrides.nodes.push_back(one);
    }
    return scene;
}

TEST(tuning, costs_follow_from_each_clients_rank) {
    const auto deploy = lab::deploy(unequal_ranks(rank_average::truncate));
    const std::int64_t head = lab::classes * 25, of_rank = 2 * (24 + 24); // q and v, 24 wide
    EXPECT_EQ(deploy.domain_of(0).elements, head + 4 * 4 * of_rank) << "the edge has the largest rank";
    const std::int64_t ranks[2][3] = {{4, 1, 2}, {2, 3, 1}};
    std::int64_t all = 0;
    for (std::size_t c = 0; c < 2; ++c) {
        for (std::size_t i = 0; i < 3; ++i) {
            const auto& spec = deploy.chains[c][i].spec;
            const auto expected = (i == 1 ? 2 : 1) * ranks[c][i] * of_rank + (i == 2 ? head : 0);
            EXPECT_EQ(spec.tunable_elements(), expected);
            EXPECT_EQ(spec.step_flops(optimizer_kind::sgd), 6.0 * static_cast<double>(expected));
            // x A^T and its product with B^T, for q and v of each block.
            const auto same = stage_spec(deploy.model, tuned_by({.method = "head"}), lab::classes, spec.cut());
            const auto tokens = deploy.model->tokens();
            EXPECT_EQ(spec.forward_flops(1) - same.forward_flops(1),
                      2.0 * static_cast<double>((i == 1 ? 2 : 1) * tokens * ranks[c][i] * of_rank));
            all += expected;
        }
    }
    const auto played = ledger_run(deploy).play(1);
    for (const auto way : {link_class::cs_down, link_class::cs_up}) {
        EXPECT_EQ(played.rounds[0].bytes[static_cast<std::size_t>(way)], static_cast<std::uint64_t>(4 * all));
    }
    lab::expect_sums_agree(played);
}

TEST(tuning, clients_get_the_first_part_of_their_edges_tensors) {
    const auto deploy = lab::deploy(unequal_ranks(rank_average::pad));
    const auto& domain = deploy.domain_of(0);
    auto model = tensor_view::allocate({domain.elements});
    std::iota(model.as<float>(), model.as<float>() + domain.elements, 0.0F); // each value is its place
    const auto& seat = deploy.chains[0][2];                                  // rank 2 of 4, block 3
    const auto modules = modules_of(model, {&seat});
    ASSERT_EQ(modules.elements(), seat.spec.tunable_elements());
    std::int64_t next = 0;
    for (const auto& tunable : seat.spec.tunables()) {
        std::int64_t place = 0;
        for (const auto& other : domain.tunables) {
            if (other.tensor.name == tunable.tensor.name) {
                const auto& shape = tunable.tensor.shape;
                const auto columns = shape.size() > 1 ? shape[1] : 1,
                           stride = shape.size() > 1 ? other.tensor.shape[1] : 1;
                for (std::int64_t i = 0; i < tunable.tensor.elements(); ++i, ++next) {
                    EXPECT_EQ(modules.as<float>()[next], static_cast<float>(place + i / columns * stride + i % columns))
                        << tunable.tensor.name;
                }
            }
            place += other.tensor.elements();
        }
    }
    EXPECT_EQ(next, modules.elements());
}

/// Because all have the scale of the largest rank.
TEST(tuning, the_same_factors_are_the_same_change_at_every_client) {
    const auto model = make_model(lab::small_scenario());
    const auto backbone = lab::random_backbone(model);
    const auto method = tuned_by({.method = "lora", .rank = 6});
    tuned_model edge(backbone, method, lab::classes), client(backbone, sized(method, 2), lab::classes);
    const auto values = initial_values(client.tunables(), 1, {});
    for (std::int64_t i = 0; i < values.elements(); ++i) {
        values.as<float>()[i] += 0.01F * static_cast<float>(i % 7); // so that no factor is 0
    }
    client.load(values);
    const c10::NoGradGuard no_gradients;
    for (std::size_t i = 0; i < edge.parameters().size(); ++i) {
        const auto part = client.parameters()[i];
        auto whole = edge.parameters()[i].zero_();
        if (part.dim() == 1) {
            whole.copy_(part);
        } else {
            whole.narrow(0, 0, part.size(0)).narrow(1, 0, part.size(1)).copy_(part);
        }
    }
    lab::random_samples samples(model, 0, 4);
    const auto images = to_torch(samples.inputs({0, 0, 0, 4, 4}));
    const auto at_edge = edge.forward(images), at_client = client.forward(images);
    EXPECT_LT((at_edge - at_client).abs().max().item<double>(), 1e-5);
    client.parameters()[1].mul_(3.0);
    EXPECT_GT((at_edge - client.forward(images)).abs().max().item<double>(), 1e-3) << "it matters";
}

TEST(tuning, of_unequal_ranks_does_not_depend_on_ranks_of_mpi) {
    std::vector<std::vector<float>> tuned;
    for (const auto way : {rank_average::pad, rank_average::truncate, rank_average::product}) {
        auto scene = unequal_ranks(way);
        scene.network.clusters = 3;
        scene.tuning.rank = 2; // of the third one
        const auto run = lab::expect_same_everywhere(scene, name_in(rank_average_words, way));
        EXPECT_NE(run.models.front(), run.models.back());
        tuned.push_back(run.models.back());
    }
    EXPECT_NE(tuned[0], tuned[1]);
    EXPECT_NE(tuned[0], tuned[2]);
    auto cloud = unequal_ranks(rank_average::product);
    cloud.network.edges = 2;
    cloud.network.clusters = 2;
    cloud.tuning.rank = 2;
    for (auto& one : cloud.network.overrides.nodes) {
        one.name = "e0." + one.name; // those of the second edge are alike, and have the largest rank of all there
    }
    cloud.cloud.period = 1;
    const auto run = lab::expect_same_everywhere(cloud, "with a cloud");
    const auto& models = run.models;
    const auto shared = lab::deploy(cloud).domain_of(0).shared_elements;
    EXPECT_TRUE(std::equal(models[0].begin(), models[0].begin() + shared, models[1].begin())) << "all edges have it";
}

TEST(tuning, does_not_depend_on_ranks) {
    auto scene = lab::small_scenario();
    scene.train.rounds = 3;
    scene.network.clusters = 3;
    for (const auto& tuning : lab::every_tuning()) {
        scene.tuning = tuning;
        const auto run = lab::expect_same_everywhere(scene, tuning.method);
        EXPECT_NE(run.models.front(), run.models.back()) << tuning.method;
        EXPECT_GT(run.totals.back().predictions, 0);
    }
}

} // namespace
} // namespace gaisnet
