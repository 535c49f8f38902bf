// What each tuning method tunes, delivers and sends, by closed forms; and that no rank count changes what it trains.

#include "support/lab.hpp"
#include "support/tuned.hpp"
#include "support/vits.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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
            sum += n * tuning.rank * (d + (wide ? h : d));
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
