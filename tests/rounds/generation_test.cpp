// Texts that a chain generates: what they cost against closed forms, what they say against the unsplit model.

#include "model/torch/sample_sources.hpp"
#include "model/torch/torch_stage.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "rounds/inference_ledger.hpp"
#include "support/lab.hpp"

#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace gaisnet {
namespace {

scenario telling_scenario(const std::string& family = "gpt2") {
    auto scene = lab::text_scenario(family);
    scene.model.task = model_task::next_token;
    scene.service = service_kind::inference;
    scene.infer.requests = 5;
    scene.infer.arrivals = arrival_kind::burst;
    scene.infer.prompt_tokens = 4;
    scene.infer.generate = 6;
    scene.infer.delivery = delivery_kind::none;
    return scene;
}

struct telling {
    explicit telling(const scenario& given)
        : scene(given)
        , deploy(lab::deploy(scene))
        , plan(make_inference_plan(deploy)) {
        for (auto& line : plan.lines) { // texts of different lengths
            for (std::size_t request = 0; request < line.texts.size(); ++request) {
                line.texts[request].prompt += static_cast<std::int64_t>(request % 3);
                line.texts[request].tokens -= static_cast<std::int64_t>(request % 2);
            }
        }
    }
    telling(const telling&) = delete;
    telling& operator=(const telling&) = delete;
    inference_forecast forecast(std::vector<int> rank_of = {}) const {
        return inference_ledger(deploy, std::move(rank_of)).play(plan);
    }
    std::vector<std::int32_t> prompt(int cluster, std::int64_t request) const {
        random_stream stream(3, "prompt", std::to_string(cluster), 0, static_cast<std::uint32_t>(request));
        std::vector<std::int32_t> tokens(
            static_cast<std::size_t>(plan.lines[cluster].texts[static_cast<std::size_t>(request)].prompt));
        std::generate(tokens.begin(), tokens.end(), [&] {
            return static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(scene.model.vocabulary)));
        });
        return tokens;
    }
    token_chooser chooser(int cluster) const {
        return make_token_chooser({scene.infer.temperature, scene.infer.top_k, scene.infer.top_p}, 1,
                                  std::to_string(cluster));
    }

    scenario scene;
    deployment deploy;
    inference_plan plan;
};

// ---------------------------------------------------------------------------------------------- what they cost

TEST(generation, a_text_takes_the_sum_of_its_passes) {
    auto scene = telling_scenario();
    scene.network.clusters = 1;
    scene.network.clients = {4};
    scene.infer.requests = 1;
    scene.tuning = {.method = "lora", .rank = 2, .targets = {block_linear::query}};
    const telling here(scene);
    ASSERT_EQ(here.deploy.chains[0].size(), 4U); // embedding; a block; two blocks or so; output layer
    const auto played = here.forecast();
    ASSERT_EQ(played.requests.size(), 1U);
    const auto& row = played.requests.front();
    const double d = static_cast<double>(scene.model.dim), hidden = 40, rank = 2;
    const double prompt = 4, generated = 6, blocks = static_cast<double>(scene.model.depth);
    double compute = 0, d2d = 0;
    const auto transfer = [](double bytes) { return bytes * 8.0 / 50e6 + 2e-3; };
    for (int step = 0; step < 6; ++step) {
        const double tokens = step == 0 ? prompt : 1, past = step == 0 ? 0 : prompt + step - 1;
        const double linear = 4 * d * d + 2 * d * hidden + 2 * d * rank;
        compute += 2 * blocks * (tokens * linear + 2 * tokens * (past + tokens) * d) / 1e9;
        compute += 2 * d * static_cast<double>(scene.model.vocabulary) / 1e9; // of the last token
        d2d += 2 * transfer(tokens * d * 4) + transfer(d * 4);
    }
    EXPECT_NEAR(row.parts["compute"], compute, 1e-12);
    EXPECT_NEAR(row.parts["d2d"], d2d, 1e-12);
    EXPECT_NEAR(row.parts["result"], generated * transfer(8), 1e-12);
    EXPECT_NEAR(row.parts["busy"], 0.0, 1e-12);
    EXPECT_NEAR(row.latency_s, 1e-3 + compute + d2d + generated * transfer(8), 1e-12);
    EXPECT_EQ(row.tokens, 6U);
    ASSERT_EQ(played.tokens.size(), 6U);
    double sum = 0;
    for (const auto& token : played.tokens) {
        sum += token.latency_s;
    }
    EXPECT_NEAR(sum, row.latency_s, 1e-12);
    EXPECT_EQ(played.tokens.front().latency_s, row.first_token_s);
    // Keys and values of prompt and tokens, of each block: the last token that was told is never computed with.
    for (const auto& seat : here.deploy.chains[0]) {
        const auto kept = 2 * static_cast<double>(seat.spec.cut().blocks) * d * (prompt + generated - 1) * 4;
        const auto found = std::find_if(played.nodes.begin(), played.nodes.end(),
                                        [&](const auto& node) { return node.node == seat.node; });
        EXPECT_EQ(static_cast<double>(found->cache_bytes), kept);
        EXPECT_GE(static_cast<double>(found->temporary_bytes), kept);
    }
}

TEST(generation, texts_share_a_chain_and_new_ones_join) {
    auto scene = telling_scenario();
    scene.network.clusters = 1;
    scene.infer.requests = 8;
    for (const int in_flight : {1, 2, 5}) {
        scene.infer.in_flight = in_flight;
        const telling here(scene);
        const auto played = here.forecast();
        std::map<std::int64_t, std::int64_t> told;
        std::size_t most = 0;
        bool joined = false;
        for (const auto& batch : played.decisions.batches[0]) {
            EXPECT_EQ(batch.token, told[batch.first]) << "tokens of a text come in their order";
            joined = joined || (batch.token == 0 && told.size() > 1);
            if (++told[batch.first] == here.plan.lines[0].texts[static_cast<std::size_t>(batch.first)].tokens) {
                told.erase(batch.first);
            }
            most = std::max(most, told.size());
        }
        EXPECT_TRUE(told.empty());
        EXPECT_EQ(joined, in_flight > 1) << "a text begins while others are under way";
        EXPECT_LE(most, static_cast<std::size_t>(in_flight));
        for (const auto& row : played.requests) {
            double sum = 0;
            for (const auto* part : request_parts::parts()) {
                sum += row.parts[part->name];
            }
            EXPECT_NEAR(sum, row.latency_s, 1e-9);
        }
    }
}

TEST(generation, keys_and_values_go_when_a_text_ends) {
    auto scene = telling_scenario();
    scene.network.clusters = 1;
    const auto peak = [&](int requests, int in_flight) {
        scene.infer.requests = requests;
        scene.infer.in_flight = in_flight;
        const telling here(scene);
        std::uint64_t most = 0;
        for (const auto& node : here.forecast().nodes) {
            most = std::max(most, node.cache_bytes);
        }
        return most;
    };
    // Of prompts of 4 to 6 tokens the second and third texts are longest: 5 + 5 - 1 and 6 + 6 - 1 tokens, prompts beside.
    EXPECT_EQ(peak(1, 1), peak(1, 8));
    EXPECT_EQ(peak(6, 1), peak(3, 1)) << "one after another";
    EXPECT_GT(peak(6, 3), 2 * peak(6, 1));
}

// ---------------------------------------------------------------------------------------------- what they say

using said = std::map<int, std::map<std::int64_t, std::vector<std::int64_t>>>;

/// \param part how many texts of each cluster are played together.
said tell(const telling& here, int ranks, std::size_t part = 1000) {
    const auto backbone = lab::random_backbone(make_model(here.scene));
    said all;
    lab::play_session(
        here.deploy, here.plan, ranks, backbone,
        [&]() -> executor_factory {
            return [&](const stage_seat& seat) {
                const auto prompts = listed_prompts(
                    [&here, cluster = seat.cluster](auto request) { return here.prompt(cluster, request); });
                auto stage = std::make_unique<torch_stage>(seat.spec, backbone, optimizer_settings{}, prompts);
                stage->choose_tokens_by(here.chooser(seat.cluster));
                return stage;
            };
        },
        [&](const inference_run& run) {
            for (const auto& [cluster, texts] : run.texts()) {
                all[cluster].insert(texts.begin(), texts.end());
            }
        },
        0, part);
    return all;
}

/// The whole model, without keeping anything: all tokens so far go through it each time.
said tell_unsplit(const telling& here) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    const auto backbone = lab::random_backbone(make_model(here.scene));
    said all;
    for (std::size_t c = 0; c < here.plan.lines.size(); ++c) {
        const int cluster = static_cast<int>(c);
        tuned_model model(backbone, here.deploy.method, no_classes);
        model.load(
            lab::moved_model(here.deploy, backbone, static_cast<std::uint32_t>(here.deploy.net.clusters[c].edge)));
        const auto choose = here.chooser(cluster);
        const auto& texts = here.plan.lines[c].texts;
        for (std::size_t request = 0; request < texts.size(); ++request) {
            const auto prompt = here.prompt(cluster, static_cast<std::int64_t>(request));
            std::vector<std::int64_t> tokens(prompt.begin(), prompt.end());
            for (std::int64_t token = 0; token < texts[request].tokens; ++token) {
                const auto logits =
                    model.forward(at::tensor(tokens, at::kLong).unsqueeze(0)).select(1, -1).contiguous();
                tokens.push_back(choose({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
                                        static_cast<std::int64_t>(request), token));
            }
            all[cluster][static_cast<std::int64_t>(request)] = {
                tokens.begin() + static_cast<std::ptrdiff_t>(prompt.size()), tokens.end()};
        }
    }
    return all;
}

TEST(generation, a_chain_says_what_the_whole_model_says) {
    for (const auto& family : {"gpt2", "llama"}) {
        for (const auto& tuning : lab::every_tuning_of(*make_model(telling_scenario(family)))) {
            for (const int clients : {1, 2, 4}) {
                auto scene = telling_scenario(family);
                scene.tuning = tuning;
                scene.network.clients = {clients};
                const telling here(scene);
                const auto expected = tell_unsplit(here);
                ASSERT_EQ(expected.at(0).at(0).size(), 6U);
                EXPECT_EQ(tell(here, 1), expected) << family << ", " << tuning.method << ", " << clients << " clients";
            }
        }
    }
}

TEST(generation, tokens_are_drawn_alike_on_any_ranks_and_in_any_parts) {
    auto scene = telling_scenario("llama");
    scene.network.edges = 2;
    scene.network.clients = {3, 2};
    scene.infer.temperature = 0.9;
    scene.infer.top_k = 20;
    scene.infer.top_p = 0.95;
    const auto expected = tell_unsplit(telling(scene));
    EXPECT_NE(expected.at(0), expected.at(1));
    for (const int ranks : {1, 2, 3}) {
        for (const auto placement : {"cluster", "node"}) {
            scene.placement = placement;
            for (const int in_flight : {1, 2, 0}) {
                scene.infer.in_flight = in_flight;
                EXPECT_EQ(tell(telling(scene), ranks), expected) << ranks;
                EXPECT_EQ(tell(telling(scene), ranks, 2), expected) << ranks << ", in parts";
            }
        }
    }
}

} // namespace
} // namespace gaisnet
