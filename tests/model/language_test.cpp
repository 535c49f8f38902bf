// Tiny models of texts against transformers, in float64 (tests/golden/make_language_golden.py); what a cache, padding, prompts
// and the rest of a batch change, and what they do not.

#include "base/error.hpp"
#include "model/files/backbone_match.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "scenario/model_config.hpp"
#include "support/lab.hpp"
#include "support/languages.hpp"
#include "support/temporary_folder.hpp"
#include "support/tuned.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

namespace gaisnet {
namespace {

using testing::HasSubstr;

const std::vector<std::string> causal_folders{"tiny_llama", "tiny_llama_untied", "tiny_qwen2", "tiny_gpt2"};

/// Mean over the next tokens that are real.
at::Tensor next_token_loss(const at::Tensor& logits, const at::Tensor& ids, const at::Tensor& mask) {
    const auto length = ids.size(1) - 1;
    const auto targets = ids.narrow(1, 1, length).masked_fill(mask.narrow(1, 1, length).eq(0), -100);
    return at::cross_entropy_loss(logits.narrow(1, 0, length).flatten(0, 1), targets.flatten());
}

/// Tensors [out, in] that the file has as [in, out].
bool is_transposed(const golden_folder& folder, const tensor_spec& spec) {
    return std::string(folder.model->family()) == "gpt2" && spec.name.starts_with("h.") && spec.shape.size() == 2;
}

void expect_gradients(const golden_folder& folder, const std::string& prefix,
                      const std::function<at::Tensor(const std::string&)>& gradient, std::size_t least) {
    std::size_t compared = 0;
    for (const auto& spec : folder.model->tensors()) {
        for (const auto& name : {"grad." + prefix + spec.name, "grad." + spec.name}) {
            if (folder.results.find("golden." + name) != nullptr) {
                SCOPED_TRACE(name);
                const auto expected = folder[name];
                expect_near(gradient(spec.name), is_transposed(folder, spec) ? expected.t() : expected, 1e-4);
                ++compared;
            }
        }
    }
    EXPECT_GE(compared, least);
}

TEST(language, sizes_come_from_the_folder) {
    const auto qwen = golden_folder("tiny_qwen2").scene.model;
    EXPECT_EQ(qwen.family, "llama");
    EXPECT_EQ(
        std::vector({qwen.vocabulary, qwen.positions, qwen.dim, qwen.depth, qwen.heads, qwen.kv_heads, qwen.hidden}),
        (std::vector<std::int64_t>{56, 64, 24, 2, 4, 2, 32}));
    EXPECT_EQ(qwen.rope_theta, 1e6);
    EXPECT_EQ(qwen.norm_eps, 1e-6);
    EXPECT_TRUE(qwen.qkv_bias && qwen.tied);
    const auto untied = golden_folder("tiny_llama_untied").scene.model; // as transformers 5 writes it
    EXPECT_EQ(untied.rope_theta, 5e5);
    EXPECT_FALSE(untied.qkv_bias || untied.tied);
    const auto gpt2 = golden_folder("tiny_gpt2").scene.model;
    EXPECT_EQ(gpt2.tokens, 32) << "no more than there are positions";
    EXPECT_EQ(gpt2.hidden, 64);
    EXPECT_EQ(golden_folder("tiny_bert").scene.model.norm_eps, 1e-12);
    EXPECT_EQ(golden_folder("tiny_gpt2", {"--model.tokens", "8"}).model->sample_shape(), std::vector<std::int64_t>{8});
}

TEST(language, states_logits_loss_and_gradients_are_those_of_transformers) {
    set_torch_threads(1);
    for (const auto& name : causal_folders) {
        SCOPED_TRACE(name);
        const golden_folder folder(name);
        const auto& backbone = *folder.backbone;
        for (const auto& [spec, weight] : folder.weights()) {
            at::Tensor(weight).requires_grad_(true);
        }
        const auto ids = folder["input_ids"];
        auto tokens = backbone.embed(ids);
        expect_near(tokens, folder["hidden.0"], 1e-5);
        for (std::int64_t block = 0; block < folder.model->depth(); ++block) {
            tokens = backbone.block(block)(tokens);
            expect_near(tokens, folder["hidden." + std::to_string(block + 1)], 2e-5);
        }
        const auto normed = backbone.normalise(tokens);
        expect_near(normed, folder["normed"], 2e-5);
        const auto logits = backbone.logits(normed);
        expect_near(logits, folder["logits"], 1e-4);
        expect_near(backbone.logits(normed.select(1, 3)), folder["logits"].select(1, 3), 1e-4);
        const auto loss = next_token_loss(logits, ids, folder["attention_mask"]);
        EXPECT_NEAR(loss.item<double>(), folder["loss"].item<double>(), 1e-5);
        run_backward(loss, {});
        std::map<std::string, at::Tensor> gradients;
        for (const auto& [spec, weight] : folder.weights()) {
            gradients[spec.name] = weight.grad();
        }
        const auto prefix = name == "tiny_gpt2" ? "transformer." : "model.";
        expect_gradients(
            folder, prefix, [&](const std::string& one) { return gradients.at(one); }, 6);
    }
}

TEST(language, padding_changes_nothing_for_the_tokens_before_it) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    for (const auto& name : causal_folders) {
        SCOPED_TRACE(name);
        const golden_folder folder(name);
        const auto& backbone = *folder.backbone;
        const auto ids = folder["input_ids"], mask = folder["padded.attention_mask"];
        const auto padding = ids.size(1) - mask.sum(1);
        const auto tokens = backbone.run_blocks(backbone.embed(ids), padding);
        const auto logits = backbone.logits(backbone.normalise(tokens));
        const auto real = mask.unsqueeze(-1).to(at::kBool);
        expect_near(logits.masked_fill(~real, 0.0), folder["padded.logits"].masked_fill(~real, 0.0), 1e-4);
        EXPECT_NEAR(next_token_loss(logits, ids, mask).item<double>(), folder["padded.loss"].item<double>(), 1e-5);
        const auto pooled = backbone.pool(tokens, padding);
        EXPECT_TRUE(pooled[0].equal(tokens[0][11]) && pooled[1].equal(tokens[1][7])) << "the last real token";
    }
}

TEST(language, goes_on_as_transformers_does) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    for (const auto& name : causal_folders) {
        SCOPED_TRACE(name);
        const golden_folder folder(name);
        const auto& backbone = *folder.backbone;
        std::vector<attention_cache> caches(static_cast<std::size_t>(folder.model->depth()));
        const auto expected = folder["continuation"], scores = folder["continuation.logits"];
        auto next = folder["input_ids"];
        for (std::int64_t i = 0; i < expected.size(1); ++i) {
            const auto past = caches.front().tokens();
            EXPECT_EQ(past, i == 0 ? 0 : 11 + i);
            const auto tokens = backbone.run_blocks(backbone.embed(next, past), {}, caches);
            const auto logits = backbone.logits(backbone.normalise(backbone.pool(tokens)));
            expect_near(logits, scores.select(1, i), 1e-4);
            next = logits.argmax(-1, /*keepdim=*/true);
            EXPECT_TRUE(next.squeeze(1).equal(expected.select(1, i))) << i;
        }
    }
}

TEST(language, classification_by_bert_is_that_of_transformers) {
    set_torch_threads(1);
    const golden_folder folder("tiny_bert");
    const auto& backbone = *folder.backbone;
    const auto ids = folder["input_ids"], mask = folder["attention_mask"];
    const auto padding = ids.size(1) - mask.sum(1);
    const auto samples = at::stack({ids, folder["token_type_ids"]}, 1);
    const auto real = mask.unsqueeze(-1).to(at::kBool);
    {
        const c10::NoGradGuard no_gradients;
        auto tokens = backbone.embed(samples);
        for (std::int64_t block = 0; block <= folder.model->depth(); ++block) {
            expect_near(tokens.masked_fill(~real, 0.0),
                        folder["hidden." + std::to_string(block)].masked_fill(~real, 0.0), 2e-5);
            tokens = block < folder.model->depth() ? backbone.block(block, {padding})(tokens) : tokens;
        }
        expect_near(backbone.normalise(backbone.pool(tokens)), folder["pooled"], 1e-5);
        EXPECT_TRUE(backbone.embed(ids).equal(backbone.embed(at::stack({ids, at::zeros_like(ids)}, 1))));
    }
    tuned_model model(folder.backbone, tuned_by({.method = "full"}), 3);
    model.load(initial_values(model.tunables(), 1, lab::weights_of(folder.backbone)));
    const safetensors_file file(folder.path + "/model.safetensors");
    const auto count = model.parameters().size();
    for (const auto& [name, index] : {std::pair{"classifier.weight", count - 2}, {"classifier.bias", count - 1}}) {
        const c10::NoGradGuard no_gradients;
        auto values = file.float32(name);
        model.parameters()[index].copy_(at::from_blob(values.data(), file.at(name).shape));
    }
    const auto logits = model.forward({samples, padding});
    expect_near(logits, folder["logits"], 1e-4);
    const auto loss = at::cross_entropy_loss(logits, folder["labels"]);
    EXPECT_NEAR(loss.item<double>(), folder["loss"].item<double>(), 1e-5);
    run_backward(loss, {});
    std::map<std::string, at::Tensor> gradients;
    for (std::size_t i = 0; i < count; ++i) {
        gradients[model.tunables()[i].tensor.name] = model.parameters()[i].grad();
    }
    expect_gradients(
        folder, "bert.", [&](const std::string& one) { return gradients.at(one); }, 9);
    expect_near(gradients.at("head.weight"), folder["grad.classifier.weight"], 1e-4);
    expect_near(gradients.at("head.bias"), folder["grad.classifier.bias"], 1e-4);
}

/// Without gradients; cached outputs of frozen parts and answers rest on it.
TEST(language, a_sample_has_the_same_bits_alone_and_in_a_batch) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    for (const auto& family : lab::text_families) {
        auto scene = lab::text_scenario(family);
        scene.model.tokens = 31;
        scene.model.positions = 64;
        scene.model.dim = 96;
        const auto model = make_model(scene);
        const auto backbone = lab::random_backbone(model);
        const auto samples = to_torch(lab::random_samples(model, 0, 5).inputs({0, 0, 0, 5, 5}));
        const auto padding = at::tensor({0, 3, 0, 7, 1}, at::kLong);
        for (const auto& settings : lab::every_tuning_of(*model)) {
            SCOPED_TRACE(family + ", " + settings.method);
            scene.tuning = settings;
            tuned_model tuned(backbone, make_tuning_method(scene), lab::classes);
            tuned.load(initial_values(tuned.tunables(), 1, lab::weights_of(backbone)));
            const auto all = tuned.features(samples);
            for (std::int64_t i = 0; i < 5; ++i) {
                EXPECT_TRUE(all[i].equal(tuned.features(samples.narrow(0, i, 1))[0])) << i;
            }
            const auto padded = tuned.pooled({samples, padding});
            EXPECT_TRUE(padded[3].equal(tuned.pooled({samples.narrow(0, 3, 1), padding.narrow(0, 3, 1)})[0]));
            EXPECT_TRUE(padded[2].equal(tuned.pooled(samples.narrow(0, 2, 1))[0])) << "no padding";
        }
    }
}

TEST(language, a_cache_gives_what_the_whole_text_gives_with_every_method) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    for (const auto* family : {"llama", "gpt2"}) {
        auto scene = lab::text_scenario(family);
        const auto model = make_model(scene);
        const auto backbone = lab::random_backbone(model);
        const auto ids = to_torch(lab::random_samples(model, 0, 3).inputs({0, 0, 0, 3, 3}));
        for (const auto& settings : lab::every_tuning_of(*model)) {
            SCOPED_TRACE(std::string(family) + ", " + settings.method);
            scene.tuning = settings;
            const auto spec = whole_model(model, make_tuning_method(scene), lab::classes);
            tuned_part part(spec, backbone);
            auto tunables = make_parameters(spec.tunables());
            load_parameters(tunables, initial_values(spec.tunables(), 1, lab::weights_of(backbone)));
            for (auto& one : tunables) {
                one = one.unsqueeze(0);
            }
            const auto whole = part.run_blocks(tunables, part.embed(tunables, ids));
            std::vector<attention_cache> caches(static_cast<std::size_t>(model->depth()));
            std::int64_t done = 0;
            for (const std::int64_t take : {5, 1, 2, 1}) {
                const auto past = caches.front().tokens();
                const auto tokens =
                    part.run_blocks(tunables, part.embed(tunables, ids.narrow(1, done, take), past), {}, caches);
                done += take;
                expect_near(tokens.select(1, tokens.size(1) - 1), whole.select(1, whole.size(1) - 10 + done), 1e-4);
            }
        }
    }
}

/// As soft prompts of PEFT: rows before those of the tokens, and the positions go on behind them.
TEST(language, prompts_have_the_first_positions) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    auto scene = lab::text_scenario("gpt2");
    scene.tuning.method = "prompt_shallow";
    const auto model = make_model(scene);
    const auto backbone = lab::random_backbone(model);
    const auto ids = to_torch(lab::random_samples(model, 0, 2).inputs({0, 0, 0, 2, 2}));
    tuned_model tuned(backbone, make_tuning_method(scene), lab::classes);
    tuned.load(initial_values(tuned.tunables(), 1, lab::weights_of(backbone)));
    const auto prompts = tuned.parameters().front().unsqueeze(0).expand({2, -1, -1});
    const auto tokens =
        backbone->embedding[0].index_select(0, ids.flatten()).view({2, 9, 24}) + backbone->embedding[1].narrow(0, 3, 9);
    const auto out = backbone->run_blocks(at::cat({prompts, tokens}, 1));
    expect_near(tuned.pooled(ids), out.select(1, 11), 1e-6);
    EXPECT_THROW(backbone->embed(ids, 24), usage_error) << "there are 32 positions";
}

class language_folder : public in_temporary_folder {
protected:
    /// \returns what is said of the folder with one text of its config.json replaced.
    std::string said_of(const std::string& name, const std::string& from, const std::string& to,
                        const std::vector<std::string>& more = {}) {
        namespace fs = std::filesystem;
        const fs::path source = fs::path(GAISNET_TEST_DATA) / name, target = temporary / "model";
        fs::create_directories(target);
        fs::copy_file(source / "model.safetensors", target / "model.safetensors", fs::copy_options::overwrite_existing);
        std::ifstream in(source / "config.json");
        std::string text((std::istreambuf_iterator<char>(in)), {});
        const auto at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        std::ofstream(target / "config.json") << text.replace(at, from.size(), to);
        std::vector<std::string> arguments{"--model.weights", target.string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        try {
            const auto scene = scenario_of(arguments);
            weight_store::open(scene.model.weights, make_model(scene), temporary / "cache");
        } catch (const usage_error& problem) {
            return problem.what();
        }
        return "nothing";
    }
};

TEST_F(language_folder, is_kept_in_the_cache_with_its_matrices_transposed) {
    for (const auto* name : {"tiny_gpt2", "tiny_llama_untied", "tiny_bert"}) {
        const auto cache = temporary / name;
        const golden_folder folder(name);
        const auto made = weight_store::open(folder.path, folder.model, cache);
        const auto again = weight_store::open(folder.path, folder.model, cache);
        EXPECT_TRUE(again->shared());
        EXPECT_EQ(made->fingerprint(), folder.store->fingerprint());
        const safetensors_file file(folder.path);
        const auto values = read_backbone(file, *folder.model);
        const auto apart = weight_store::from_tensors(folder.model, values);
        EXPECT_EQ(again->fingerprint(), apart->fingerprint());
        // A text of another length needs no other image.
        const auto shorter = golden_folder(name, {"--model.tokens", "5"}).model;
        weight_store::open(folder.path, shorter, cache);
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(cache), {}), 2) << "with the lock";
    }
}

TEST(language, layers_are_chosen_by_their_names_and_refused_where_there_are_none) {
    const auto targets = [](const std::string& text) {
        return scenario_of({"--tuning.method", "lora", "--tuning.targets", text}).tuning.targets;
    };
    using enum block_linear;
    EXPECT_EQ(targets("q_proj, o_proj, gate_proj, up_proj, down_proj"),
              (std::vector{query, projection, gate, fc1, fc2}));
    EXPECT_EQ(targets("gate"), std::vector{gate});
    EXPECT_TRUE(targets("all").empty());
    EXPECT_THAT([&] { targets("q, q_proj"); }, testing::ThrowsMessage<usage_error>(HasSubstr("each once")));
    const auto of = [](const std::string& family, std::vector<block_linear> some) {
        const auto model = make_model(lab::text_scenario(family));
        return whole_model(model, tuned_by({.method = "lora", .rank = 2, .targets = std::move(some)}), 1)
                   .tunable_elements() -
               25;
    };
    EXPECT_EQ(of("llama", {key, value}), 3 * 2 * 2 * (24 + 8));
    EXPECT_EQ(of("llama", {}), 3 * 2 * (2 * (24 + 24) + 2 * (24 + 8) + 3 * (24 + 40)));
    EXPECT_EQ(of("bert", {}), 3 * 2 * (4 * (24 + 24) + 2 * (24 + 40)));
    EXPECT_THAT([&] { of("gpt2", {gate}); },
                testing::ThrowsMessage<usage_error>(
                    HasSubstr("a block of model.family = gpt2 has no gate; some of q, k, v, proj, fc1, fc2 are")));
}

TEST_F(language_folder, with_what_is_not_supported_is_told_what_it_is) {
    const auto refused = [&](const std::string& name, const std::string& from, const std::string& to,
                             const std::string& what) { EXPECT_THAT(said_of(name, from, to), HasSubstr(what)) << to; };
    refused("tiny_llama", R"("rope_scaling": null)", R"("rope_scaling": {"rope_type": "llama3", "factor": 8})",
            "rope_scaling.rope_type = 'llama3'");
    refused("tiny_llama_untied", R"("rope_type": "default")", R"("rope_type": "yarn")", "rope_parameters.rope_type");
    refused("tiny_llama_untied", R"("head_dim": 4)", R"("head_dim": 8)", "head_dim = 8: 4");
    refused("tiny_llama", R"("attention_bias": false)", R"("attention_bias": true)", "attention_bias = true");
    refused("tiny_llama", R"("hidden_act": "silu")", R"("hidden_act": "gelu")",
            "hidden_act = 'gelu': silu is accepted");
    refused("tiny_llama", R"("model_type": "llama")", R"("model_type": "mamba")",
            "model_type = 'mamba': it is not supported; accepted: bert, gpt2, llama, qwen2, vit");
    refused("tiny_llama", R"("hidden_size": 24)", R"("hidden_size": "wide")", "hidden_size = 'wide': a whole number");
    refused("tiny_llama", R"("vocab_size")", R"("vocabulary_size")", "vocab_size is missing");
    refused("tiny_qwen2", R"("use_sliding_window": false)", R"("use_sliding_window": true)", "use_sliding_window");
    refused("tiny_gpt2", "gelu_new", "relu", "activation_function = 'relu': gelu_new");
    refused("tiny_bert", "absolute", "relative_key", "position_embedding_type = 'relative_key'");
    refused("tiny_bert", R"("vocab_size": 40)", R"("vocab_size": 41)", "tensors of a wrong shape");
    refused("tiny_gpt2", "{", "[", "is no JSON object");
    EXPECT_THAT(said_of("tiny_gpt2", R"("n_head": 2)", R"("n_head": 2)", {"--model.dim", "32"}),
                HasSubstr("model.dim = 32: config.json of model.weights"));
    EXPECT_EQ(said_of("tiny_gpt2", R"("n_head": 2)", R"("n_head": 2)", {"--model.dim", "16"}), "nothing");
}

TEST_F(language_folder, with_a_pickle_is_refused) {
    said_of("tiny_gpt2", "{", "{");
    std::filesystem::rename(temporary / "model/model.safetensors", temporary / "model/pytorch_model.bin");
    EXPECT_THAT(
        [&] {
            const auto path = temporary / "model";
            weight_store::open(path, make_model(scenario_of({"--model.weights", path.string()})), temporary);
        },
        testing::ThrowsMessage<usage_error>(testing::AllOf(HasSubstr("pytorch_model.bin, a pickle"))));
    EXPECT_THAT([] { read_model_config("/no/such/folder"); },
                testing::ThrowsMessage<usage_error>(HasSubstr("/no/such/folder/config.json")));
}

} // namespace
} // namespace gaisnet
