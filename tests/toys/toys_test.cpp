// One of everything that can be added, each in this file alone: nothing in src/ knows them. ARCHITECTURE.md has the table.

#include "base/registry.hpp"
#include "data/partition.hpp"
#include "data/procedural.hpp"
#include "emulation/path_loss.hpp"
#include "model/smashed_codec.hpp"
#include "model/torch/members.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "model/tuning_method.hpp"
#include "network/clustering.hpp"
#include "network/link_model.hpp"
#include "network/splitting.hpp"
#include "results/schema.hpp"
#include "runtime/placement.hpp"
#include "settings/extra_sections.hpp"
#include "settings/help.hpp"
#include "settings/options.hpp"
#include "settings/sources.hpp"
#include "settings/value_reader.hpp"
#include "support/lab.hpp"

#include <ATen/ops/clamp.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace gaisnet {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;

// ---- A tuning method with a key of its own: the output of every block times 1 + strength x gain, gain [dim].

struct toy_settings {
    static constexpr section key{"toy", commands::emulating};
    double strength =
        key.real("strength", "1", "of toy_gain", above(0), {.when = {with("tuning.method", {"toy_gain"})}});
};
const extra_section<toy_settings> keys_of_toy;

class toy_gain final : public tuning_method {
public:
    explicit toy_gain(double strength): strength_(strength) {}
    block_change change(const foundation_model&, std::int64_t) const override { return {}; }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        return {{{"blocks." + std::to_string(block) + ".toy_gain", {model.dim()}}, {}}};
    }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        const auto gain = for_samples(tunables[0], tokens.size(0)).unsqueeze(1); // that of a sample's cluster
        return block(tokens) * (1.0 + strength_ * gain.to(tokens.scalar_type()));
    }

private:
    double strength_;
};

const registration<tuning_entry> registered_toy_gain{
    {"toy_gain", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         return std::make_shared<toy_gain>(scene.extra.get<toy_settings>().strength);
     }}};

TEST(toys, a_tuning_method_is_trained_split_and_averaged) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 3;
    scene.tuning.method = "toy_gain";
    scene.extra.set(toy_settings{.strength = 0.5});
    const auto run = lab::expect_same_everywhere(scene, "toy_gain");
    EXPECT_NE(run.models.front(), run.models.back());
    const auto deploy = lab::deploy(scene);
    EXPECT_EQ(deploy.domains.front().elements,
              scene.model.depth * scene.model.dim + lab::classes * (scene.model.dim + 1));
}

TEST(toys, keys_of_a_file_are_keys_like_all_others) {
    const auto given = parse_command_line({"finetune", "--tuning.method", "toy_gain", "--toy.strength", "0.25"}, {});
    EXPECT_EQ(read_scenario(given.values).extra.get<toy_settings>().strength, 0.25);
    EXPECT_TRUE(settings_without_effect(given).empty());
    EXPECT_THAT(help_text("finetune", "toy"), HasSubstr("--toy.strength 1"));
    EXPECT_THAT(
        [] {
            parse_command_line({"finetune", "--toy.strenght", "1"}, {});
        },
        testing::ThrowsMessage<usage_error>(HasSubstr("toy.strength")));
    EXPECT_THAT(
        [] {
            read_scenario(parse_command_line({"finetune", "--toy.strength", "0"}, {}).values);
        },
        testing::ThrowsMessage<usage_error>(HasSubstr("above 0")));
}

// ---- A family: an MLP-Mixer (Tolstikhin et al., NeurIPS 2021) without norms in its blocks. No CLS, no attention: the head
// gets the mean of all tokens. Its sizes are model.image, patch, dim and depth.

class toy_mixer final : public foundation_model {
public:
    explicit toy_mixer(const model_settings& sizes)
        : foundation_model({.tokens = (sizes.image / sizes.patch) * (sizes.image / sizes.patch),
                            .dim = sizes.dim,
                            .heads = 1,
                            .hidden = 2 * sizes.dim},
                           sizes.depth)
        , image_(sizes.image)
        , patch_(sizes.patch) {}

    const char* family() const override { return "toy_mixer"; }
    std::vector<std::int64_t> sample_shape() const override { return {3, image_, image_}; }
    std::int64_t leading_tokens() const override { return 0; }
    std::int64_t token_fan_in() const override { return 3 * patch_ * patch_; }
    std::vector<tensor_spec> embedding_tensors() const override {
        return {{"stem.weight", {dim(), 3, patch_, patch_}}};
    }
    std::vector<tensor_spec> block_tensors(std::int64_t block) const override {
        const auto name = "mixer." + std::to_string(block) + ".";
        return {{name + "tokens.weight", {tokens(), tokens()}},
                {name + "up.weight", {shape().hidden, dim()}},
                {name + "down.weight", {dim(), shape().hidden}}};
    }
    std::vector<tensor_spec> norm_tensors() const override { return {{"last_norm.weight", {dim()}}}; }
    double embedding_mac() const override { return static_cast<double>(tokens() * token_fan_in() * dim()); }
    block_cost cost_of_block(const block_change& change, bool input_gradient) const override {
        const auto mac = static_cast<double>(tokens() * dim() * (tokens() + 2 * shape().hidden));
        const bool gradient = input_gradient || change.weights;
        return {.forward_mac = mac,
                .backward_mac = (gradient ? mac : 0.0) + (change.weights ? mac : 0.0),
                .retained = gradient ? tokens() * (dim() + 2 * shape().hidden) : 0,
                .workspace = tokens() * shape().hidden,
                .output_gradient = gradient};
    }
    std::int64_t inference_workspace(const block_change&) const override { return tokens() * shape().hidden; }

private:
    std::int64_t image_, patch_;
};

class toy_mixer_forward final : public family_forward {
public:
    explicit toy_mixer_forward(std::int64_t patch): patch_(patch) {}
    at::Tensor embed(weights_view w, const at::Tensor& images, std::int64_t) const override {
        return at::conv2d(images.to(w[0].scalar_type()), w[0], {}, patch_).flatten(2).transpose(1, 2).contiguous();
    }
    at::Tensor run_block(weights_view w, const at::Tensor& tokens, const block_hooks&,
                         const block_context&) const override {
        const auto mixed = tokens + at::matmul(w[0], tokens);
        return mixed + at::matmul(at::gelu(at::matmul(mixed, w[1].t())), w[2].t());
    }
    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        return at::layer_norm(tokens, {tokens.size(-1)}, w[0]);
    }
    at::Tensor pool(const at::Tensor& tokens, const at::Tensor&) const override { return tokens.mean(1); }

private:
    std::int64_t patch_;
};

const registration<family_entry> registered_toy_mixer{
    {"toy_mixer",
     [](const scenario& scene) -> std::shared_ptr<const foundation_model> {
         return std::make_shared<toy_mixer>(scene.model);
     },
     [](const scenario& scene, const value_reader& in) {
         if (scene.model.image % scene.model.patch != 0) {
             in.reject("model.image", "whole patches are needed");
         }
     }}};
const registration<forward_entry> registered_toy_mixer_forward{
    {"toy_mixer", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<toy_mixer_forward>(model.embedding_tensors().front().shape.back());
     }}};
const registration<model_preset> registered_toy_sizes{
    {"toy_mixer_small", {{"model.family", "toy_mixer"}, {"model.dim", "8"}}}};

TEST(toys, a_family_of_models_is_split_tuned_averaged_and_charged) {
    for (const auto* method : {"head", "full", "toy_gain"}) {
        auto scene = lab::small_scenario();
        scene.model.family = "toy_mixer";
        scene.tuning.method = method;
        scene.network.clusters = 3;
        const auto run = lab::expect_same_everywhere(scene, std::string("toy_mixer, ") + method);
        EXPECT_NE(run.models.front(), run.models.back()) << method;
        const auto deploy = lab::deploy(scene);
        const auto n = deploy.plans.front().batch;
        double forward = 0;
        for (const auto& seat : deploy.chains.front()) {
            forward += seat.spec.forward_flops(n);
        }
        const double t = 16, d = 24, values = 48; // 16 x 16 pixels in patches of 4 x 4
        EXPECT_EQ(forward,
                  2.0 * static_cast<double>(n) * (t * values * d + 4 * t * d * (t + 4 * d) + d * lab::classes));
    }
}

TEST(toys, a_split_model_of_a_new_family_is_the_unsplit_one) {
    auto scene = lab::small_scenario();
    scene.model.family = "toy_mixer";
    scene.tuning.method = "full";
    const auto deploy = lab::deploy(scene);
    const auto backbone = lab::random_backbone(deploy.model);
    const auto source = std::make_shared<lab::random_samples>(deploy.model, 0, 4);
    const micro_batch micro{0, 0, 0, 4, 4};
    tuned_model whole(backbone, deploy.method, lab::classes);
    whole.load(initial_values(whole.tunables(), 1, lab::weights_of(backbone)));
    tensor_view passed;
    for (const auto& seat : deploy.chains.front()) {
        torch_stage stage(seat.spec, backbone, {}, source);
        stage.load(initial_values(seat.spec.tunables(), 1, lab::weights_of(backbone)));
        stage_request request;
        request.operation = stage_operation::infer;
        request.micro = micro;
        request.input = passed;
        passed = stage.run(request);
    }
    const c10::NoGradGuard no_gradients;
    const auto unsplit = whole.forward(to_torch(source->inputs(micro)));
    EXPECT_TRUE(at::equal(to_torch(passed), unsplit));
}

TEST(toys, a_family_and_its_sizes_are_words_of_keys) {
    const auto scene = read_scenario(parse_command_line({"finetune", "--model.preset", "toy_mixer_small"}, {}).values);
    EXPECT_EQ(scene.model.family, "toy_mixer");
    EXPECT_EQ(make_model(scene)->dim(), 8);
    EXPECT_THAT(
        [] {
            read_scenario(
                parse_command_line({"finetune", "--model.family", "toy_mixer", "--model.image", "33"}, {}).values);
        },
        testing::ThrowsMessage<usage_error>(HasSubstr("whole patches")));
}

// ---- A codec: 8 bits a value between -8 and 8.

class toy_codec final : public smashed_codec {
public:
    tensor_view encoded(const tensor_shape& shape) const override {
        return tensor_view::shape_only(shape, element_type::uint8);
    }
    double encode_flops(const tensor_shape& shape) const override { return 2.0 * elements_of(shape); }
    double decode_flops(const tensor_shape& shape) const override { return 2.0 * elements_of(shape); }
    at::Tensor encode(const at::Tensor& values) const override {
        return at::clamp((values * 16.0 + 128.0).round(), 0, 255).to(at::kByte);
    }
    at::Tensor decode(const at::Tensor& sent, const tensor_shape&) const override {
        return (sent.to(at::kFloat) - 128.0) / 16.0;
    }

private:
    static double elements_of(const tensor_shape& shape) {
        return static_cast<double>(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>{}));
    }
};

const registration<codec_entry> registered_toy_codec{
    {"toy_8bit",
     [](const scenario&) -> std::shared_ptr<const smashed_codec> { return std::make_shared<toy_codec>(); }}};

std::uint64_t smashed_bytes(const round_forecast& round) {
    std::uint64_t sum = 0;
    for (const auto& event : round.events) {
        sum += event.kind == event_kind::send_forward || event.kind == event_kind::send_gradient ? event.bytes : 0;
    }
    return sum;
}

TEST(toys, a_codec_decides_what_is_sent_and_charged) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 3;
    const auto plain = lab::run_hfsl(scene);
    scene.smashed.codec = "toy_8bit";
    const auto coded = lab::expect_same_everywhere(scene, "toy_8bit");
    EXPECT_EQ(4 * smashed_bytes(coded.rounds.front()), smashed_bytes(plain.rounds.front()));
    EXPECT_GT(coded.rounds.front().rounds.front().client_flops, plain.rounds.front().rounds.front().client_flops);
    EXPECT_NE(coded.models.front(), plain.models.front()) << "values have passed through 8 bits";
    scene.placement = "node";
    const auto spread = lab::run_hfsl(scene, {.ranks = 3});
    for (const auto& message : spread.messages) {
        if (message.route.kind == message_kind::forward || message.route.kind == message_kind::gradient) {
            const auto elements =
                std::accumulate(message.shape.begin(), message.shape.end(), std::int64_t{1}, std::multiplies<>{});
            EXPECT_EQ(message.bytes, static_cast<std::uint64_t>(elements)) << "one byte a value went from rank to rank";
        }
    }
}

// ---- A splitter and a clustering: all blocks at the last member; chains the other way round.

const registration<splitter_entry> registered_toy_split{{"toy_last", [](const split_request& in) {
                                                             std::vector<int> blocks(in.members.size(), 0);
                                                             blocks.back() = in.depth;
                                                             return blocks;
                                                         }}};
const registration<clustering_entry> registered_toy_clusters{
    {"toy_reversed", [](const clustering_request& in) {
         std::vector<std::vector<std::size_t>> groups(static_cast<std::size_t>(in.scene.network.clusters));
         for (std::size_t i = in.clients.size(); i-- > 0;) {
             groups[static_cast<std::size_t>(in.clients[i].home.cluster)].push_back(i);
         }
         return groups;
     }}};

TEST(toys, a_splitter_cuts_the_model) {
    auto scene = lab::small_scenario();
    scene.split.policy = "toy_last";
    scene.split.blocks = {};
    for (const auto& group : make_topology(scene).clusters) {
        EXPECT_EQ(group.chain.back().blocks, scene.model.depth);
        EXPECT_EQ(group.chain.back().node, group.clients.back());
    }
    EXPECT_EQ(read_scenario(parse_command_line({"plan", "--split.blocks", "toy_last"}, {}).values).split.policy,
              "toy_last");
}

TEST(toys, a_clustering_forms_chains) {
    auto scene = lab::small_scenario();
    scene.cluster.policy = "toy_reversed";
    const auto net = make_topology(scene);
    EXPECT_EQ(net.nodes[net.clusters[0].clients.front()].name, "c0.2") << "the last client is the start point";
    lab::run_hfsl(scene, {.ranks = 2});
}

// ---- A link model and a path loss.

class toy_rate final : public rate_model {
public:
    explicit toy_rate(double bit_s): bit_s_(bit_s) {}
    double rate_at(double time) const override { return time < 1e-3 ? bit_s_ : bit_s_ / 2; }
    double next_change(double time) const override { return time < 1e-3 ? 1e-3 : never; }

private:
    double bit_s_;
};
const registration<link_model_entry> registered_toy_link{
    {"toy_tiring",
     [](const link_model_request&) -> std::unique_ptr<rate_model> { return std::make_unique<toy_rate>(8e6); }}};
const registration<path_loss_model> registered_toy_loss{
    {.name = "toy_wall", .source = "this test", .formula = [](double metres, double) { return 40.0 + 0.5 * metres; }}};

TEST(toys, a_link_model_gives_rates) {
    auto scene = lab::small_scenario();
    scene.link.d2d.model = "toy_tiring";
    const auto round = lab::run_hfsl(scene).rounds.front();
    bool late = false;
    for (const auto& event : round.events) {
        if (event.link == link_class::d2d && event.start_s > 1e-3) {
            EXPECT_NEAR(event.rate_bit_s, 4e6, 1.0);
            late = true;
        }
    }
    EXPECT_TRUE(late);
}

TEST(toys, a_path_loss_gives_radio_links_their_rate) {
    const auto given = parse_command_line(
        {"plan", "--link.d2d.path_loss", "toy_wall", "--link.d2d.min_rate", "1 bit/s", "--network.clients", "2"}, {});
    const auto scene = read_scenario(given.values);
    const auto net = make_topology(scene);
    for (const auto& link : net.links) {
        if (link.parameters.kind == link_class::d2d) {
            EXPECT_NEAR(link.path_loss_db, 40.0 + 0.5 * std::max(link.distance_m, 1.0), 1e-9);
        }
    }
}

// ---- A partition and a placement.

const registration<partition_entry> registered_toy_partition{
    {"toy_greedy", "PART", within(0, 1), false, [](const partition_request& in) {
         std::vector<std::vector<std::size_t>> shares(in.parts);
         for (std::size_t i = 0; i < in.samples.size(); ++i) {
             const bool first = static_cast<double>(i) < in.rule.argument * static_cast<double>(in.samples.size());
             shares[first ? 0 : 1 + i % (in.parts - 1)].push_back(in.samples[i]);
         }
         return shares;
     }}};
const registration<placement_entry> registered_toy_placement{
    {"toy_one", [](const placement_request& in) { return std::vector<int>(in.net.nodes.size(), in.ranks - 1); }}};

TEST(toys, a_partition_deals_samples_out) {
    const auto images = make_procedural({0, 6, 16, 120, 1});
    std::vector<std::size_t> all(images->size());
    std::iota(all.begin(), all.end(), 0U);
    const auto rule =
        read_scenario(parse_command_line({"plan", "--data.partition", "toy_greedy(0.75)"}, {}).values).data.partition;
    const auto shares = partition(*images, all, 4, 0, rule, 1);
    EXPECT_EQ(shares[0].size(), 90U);
    EXPECT_EQ(shares[1].size() + shares[2].size() + shares[3].size(), 30U);
}

TEST(toys, a_placement_puts_nodes_on_ranks) {
    EXPECT_THAT(place_nodes({make_topology(lab::small_scenario()), 3}, "toy_one"), Each(2));
}

// ---- A part of a round's latency: gradients on their way, which are smashed data else.

const registration<latency_part> registered_toy_part{
    {"toy_gradients", 35, "gradients", "gradients on their way back along the chain",
     [](const event_row& event, std::uint32_t) { return event.kind == event_kind::send_gradient; }}};

TEST(toys, a_part_of_the_latency_is_in_rows_and_sums) {
    const auto round = lab::run_hfsl(lab::small_scenario()).rounds.front();
    const auto& parts = round.rounds.front().parts;
    EXPECT_GT(parts["toy_gradients"], 0.0);
    EXPECT_NEAR(parts.total(), round.rounds.front().latency_s, 1e-12);
    const auto columns = round_columns();
    EXPECT_THAT(infos(columns), Contains(testing::Field(&column_info::name, "toy_gradients_s")));
}

// ---- A command.

const registration<commands::info> registered_toy_command{{"toy_count", commands::plan, "counts toys"}};

TEST(toys, a_command_is_parsed_and_helped) {
    EXPECT_EQ(parse_command_line({"toy_count"}, {}).command, "toy_count");
    EXPECT_THAT(help_text("", ""), HasSubstr("counts toys"));
    EXPECT_THAT(help_text("toy_count", ""), HasSubstr("--link.d2d.rate"));
}

} // namespace
} // namespace gaisnet
