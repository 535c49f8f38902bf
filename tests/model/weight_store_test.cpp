#include "base/error.hpp"
#include "model/files/safetensors.hpp"
#include "model/files/weight_store.hpp"
#include "model/vit/weight_names.hpp"
#include "model/weight_files.hpp"
#include "support/real_data.hpp"
#include "support/vits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using tensor_map = std::map<std::string, std::vector<float>>;
using weight_files::any_note_has;
using weight_files::expect_holds;
using weight_files::hugging_face_checkpoint;
using weight_files::timm_checkpoint;
using weight_files::tiny;
using weight_files::vit_checkpoint;
using weight_files::weight_store_test;

TEST_F(weight_store_test, every_naming_gives_the_same_store) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    const auto timm = weight_store::open(file, tiny(), cache);
    expect_holds(*timm, weights);
    EXPECT_TRUE(timm->shared());
    EXPECT_TRUE(timm->notes().empty());

    tensor_map values;
    for (const auto& [name, tensor] : weights.tensors) {
        values[name] = tensor.values;
    }
    EXPECT_EQ(read_backbone(safetensors_file(file), *tiny()), values);
    const auto given = weight_store::from_tensors(tiny(), values);
    expect_holds(*given, weights);
    EXPECT_FALSE(given->shared());
    EXPECT_EQ(given->fingerprint(), timm->fingerprint());

    for (const std::string prefix : {"", "vit."}) {
        hugging_face_checkpoint(tiny(), prefix).write(file);
        const auto store = weight_store::open(file, tiny(), cache);
        expect_holds(*store, weights);
        EXPECT_EQ(store->fingerprint(), timm->fingerprint());
        const auto source = tiny()->match(safetensors_file(file)).tensors.front();
        EXPECT_EQ(source.parts, std::vector<std::string>{prefix + "embeddings.cls_token"});
    }
    EXPECT_EQ(images().size(), 3U);
}

TEST_F(weight_store_test, heads_and_poolers_are_ignored_with_a_note) {
    auto weights = timm_checkpoint(tiny());
    weights.add("head.weight", {1000, 24});
    weights.add("head.bias", {1000});
    weights.add("fc_norm.weight", {24});
    weights.metadata = {{"mean", "0.5,0.5,0.5"}};
    weights.write(file);
    const auto timm = weight_store::open(file, tiny(), cache);
    expect_holds(*timm, weights);
    EXPECT_EQ(timm->notes().size(), 2U);
    EXPECT_TRUE(any_note_has(*timm, "classification head 'head' of 1000 classes is ignored"));
    EXPECT_TRUE(any_note_has(*timm, "'fc_norm' is ignored"));
    EXPECT_EQ(timm->metadata().at("mean"), "0.5,0.5,0.5");

    auto other = hugging_face_checkpoint(tiny(), "vit.");
    other.add("vit.pooler.dense.weight", {24, 24});
    other.add("vit.pooler.dense.bias", {24});
    other.add("classifier.weight", {21, 24});
    other.write(file);
    const auto hugging_face = weight_store::open(file, tiny(), cache);
    EXPECT_EQ(hugging_face->notes().size(), 2U);
    EXPECT_TRUE(any_note_has(*hugging_face, "'classifier' of 21 classes is ignored"));
    EXPECT_TRUE(any_note_has(*hugging_face, "'pooler' is ignored"));
}

TEST_F(weight_store_test, what_wrappers_put_before_all_names_is_left_away) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    const auto plain = weight_store::open(file, tiny(), cache);
    for (const std::string prefix : {"module.", "model.", "_orig_mod.", "backbone.", "module.vit.", "a.b.c."}) {
        for (const bool hugging_face : {false, true}) {
            const auto bare = hugging_face ? hugging_face_checkpoint(tiny(), "") : weights;
            vit_checkpoint wrapped;
            for (const auto& [name, tensor] : bare.tensors) {
                wrapped.tensors[prefix + name] = tensor;
            }
            wrapped.add(prefix + "head.weight", {10, 24});
            wrapped.add(prefix.substr(0, prefix.find('.') + 1) + "classifier.weight", {7, 24});
            wrapped.write(file);
            const auto store = weight_store::open(file, tiny(), cache);
            EXPECT_EQ(store->fingerprint(), plain->fingerprint()) << prefix;
            EXPECT_TRUE(any_note_has(*store, "begin with '" + prefix + "', which is left away"));
            EXPECT_TRUE(any_note_has(*store, "'head' of 10 classes is ignored"));
            EXPECT_TRUE(any_note_has(*store, "'classifier' of 7 classes is ignored"));
        }
    }
    auto broken = weights; // one tensor without the prefix of the others is no part of the model
    for (const auto& [name, tensor] : weights.tensors) {
        broken.rename(name, name == "norm.weight" ? "norm2.weight" : "module." + name);
    }
    expect_refused(broken, tiny(), {"1 missing tensors: 'module.norm.weight'", "1 unknown tensors: 'norm2.weight'"});
}

TEST_F(weight_store_test, counters_are_ignored_with_a_note) {
    const auto weights = timm_checkpoint(tiny());
    std::vector<tensor_to_write> list;
    for (const auto& [name, tensor] : weights.tensors) {
        list.emplace_back(name, tensor.shape, std::span<const float>(tensor.values));
    }
    const std::vector<std::int64_t> steps{1000};
    list.emplace_back("num_batches", std::vector<std::int64_t>(), std::span<const std::int64_t>(steps));
    write_safetensors(file, list);
    const auto store = weight_store::open(file, tiny(), cache);
    expect_holds(*store, weights);
    EXPECT_TRUE(any_note_has(*store, "integer 'num_batches' is ignored"));
}

TEST_F(weight_store_test, other_kinds_of_vision_transformers_are_named) {
    const std::pair<const char*, const char*> cases[] = {
        {"blocks.0.ls1.gamma", "layer scale"},
        {"blocks.1.gamma_1", "layer scale"},
        {"dist_token", "distillation token"},
        {"reg_token", "register tokens"},
        {"norm_pre.weight", "LayerNorm before"},
        {"blocks.0.mlp.w12.weight", "SwiGLU"},
        {"blocks.0.attn.q_norm.weight", "LayerNorm of"},
        {"decoder_blocks.0.norm1.weight", "a decoder"},
    };
    for (const auto& [name, words] : cases) {
        auto weights = timm_checkpoint(tiny());
        weights.add(name, {24});
        const auto other = make_vit(16, 4, 24, 7, 3); // that its size is another one does not matter then
        expect_refused(weights, other, {std::string("it has "), words, name, "ViTModel"});
    }
}

TEST_F(weight_store_test, names_missing_misshapen_and_unknown_tensors_in_one_message) {
    auto weights = timm_checkpoint(tiny());
    weights.tensors.erase("norm.bias");
    weights.add("blocks.1.mlp.fc1.weight", {24, 96});
    weights.rename("blocks.0.attn.qkv.weight", "blocks.0.attn.qvk.weight");
    expect_refused(weights, tiny(),
                   {"2 missing tensors: 'blocks.0.attn.qkv.weight', 'norm.bias'",
                    "1 tensors of a wrong shape: 'blocks.1.mlp.fc1.weight' has [24, 96], wants [96, 24]",
                    "'blocks.0.attn.qvk.weight' (nearest known name: 'blocks.0.attn.qkv.weight')"});
}

TEST_F(weight_store_test, counts_what_it_does_not_list) {
    auto weights = timm_checkpoint(tiny());
    std::erase_if(weights.tensors, [](const auto& item) { return item.first.ends_with("bias"); });
    // 3 blocks of 6 biases, the patch embedding and the final norm.
    expect_refused(weights, tiny(), {"20 missing tensors: 'patch_embed.proj.bias', 'blocks.0.norm1.bias', ", ", ..."});
}

TEST_F(weight_store_test, messages_use_the_names_of_the_file) {
    auto weights = hugging_face_checkpoint(tiny(), "vit.");
    weights.tensors.erase("vit.encoder.layer.1.attention.attention.key.bias");
    weights.add("vit.encoder.layer.2.attention.attention.value.weight", {24, 23});
    weights.add("vit.embeddings.cls_tokem", {1, 1, 24});
    expect_refused(weights, tiny(),
                   {"1 missing tensors: 'vit.encoder.layer.1.attention.attention.key.bias'",
                    "'vit.encoder.layer.2.attention.attention.value.weight' has [24, 23], wants [24, 24]",
                    "'vit.embeddings.cls_tokem' (nearest known name: 'vit.embeddings.cls_token')"});
}

TEST_F(weight_store_test, refuses_files_without_a_vit) {
    vit_checkpoint other;
    other.add("conv1.weight", {64, 3, 7, 7});
    expect_refused(other, tiny(), {"no Vision Transformer", "'conv1.weight'", "timm", "Hugging Face"});
    expect_refused(vit_checkpoint{}, tiny(), {"no tensor at all"});
}

TEST_F(weight_store_test, another_size_names_the_preset_that_fits) {
    const auto small = make_vit(224, 16, 384, 12, 6, "vit_small");
    vit_checkpoint weights; // Only what shows the size; the values do not matter.
    weights.add("cls_token", {1, 1, 192});
    weights.add("pos_embed", {1, 197, 192});
    weights.add("patch_embed.proj.weight", {192, 3, 16, 16});
    weights.add("blocks.11.norm1.weight", {192});
    expect_refused(weights, small,
                   {"dim 192, depth 12, patch 16, image 224", "model.preset = vit_small is dim 384",
                    "model.preset = vit_tiny fits"});
    const auto deeper = make_vit(16, 4, 24, 4, 3);
    expect_refused(timm_checkpoint(tiny()), deeper, {"depth 3", "depth 4", "model.depth = 3, model.patch = 4"});
    const auto larger = make_vit(32, 4, 24, 4, 3);
    expect_refused(hugging_face_checkpoint(tiny(), ""), larger, {"image 16", "image 32", "model.image = 16"});
}

TEST_F(weight_store_test, refuses_other_dtypes_heads_and_values) {
    auto weights = timm_checkpoint(tiny());
    weights.metadata = {{"heads", "4"}};
    expect_refused(weights, tiny(), {"heads = '4'", "model.heads is 3"});
    weights.metadata = {{"ln_eps", "1e-12"}};
    weights.tensors["norm.bias"].values[5] = std::nanf("");
    expect_refused(weights, tiny(), {"'norm.bias' holds nan at element 5"});
    EXPECT_TRUE(images().empty()); // Nothing half made stays.
    weights.tensors["norm.bias"].values[5] = 0.0F;
    weights.write(file);
    EXPECT_TRUE(any_note_has(*weight_store::open(file, tiny(), cache), "ln_eps = '1e-12'"));

    // The header is patched in place: a dtype of the same width that is no floating-point number.
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(fs::file_size(file), '\0');
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto place = bytes.find("F32", bytes.find("\"norm.weight\""));
    stream.seekp(static_cast<std::streamoff>(place)).write("I32", 3);
    stream.close();
    try {
        weight_store::open(file, tiny(), cache);
        ADD_FAILURE() << "an I32 weight was accepted";
    } catch (const usage_error& problem) {
        EXPECT_NE(std::string(problem.what()).find("'norm.weight' is I32"), std::string::npos) << problem.what();
    }
}

TEST(random_backbone, has_the_stated_distribution_and_depends_on_names_only) {
    const auto config = make_vit(16, 4, 48, 3, 3);
    const auto store = weight_store::random(config, 7);
    double sum = 0;
    double squares = 0;
    double largest = 0;
    const auto values = store->tensor("blocks.0.mlp.fc1.weight");
    for (const float value : values) {
        sum += value;
        squares += static_cast<double>(value) * value;
        largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    const auto count = static_cast<double>(values.size()); // 9,216
    // A normal cut at two deviations has deviation 0.8796; five standard errors of mean and deviation.
    const double deviation = 0.02 * 0.8796;
    EXPECT_NEAR(sum / count, 0.0, 5 * deviation / std::sqrt(count));
    EXPECT_NEAR(std::sqrt(squares / count), deviation, 5 * deviation / std::sqrt(2 * count));
    EXPECT_LE(largest, 0.04);
    EXPECT_GT(largest, 0.035);
    for (const char* name : {"norm.weight", "blocks.1.norm2.weight"}) {
        EXPECT_EQ(std::set<float>(store->tensor(name).begin(), store->tensor(name).end()), std::set<float>{1.0F});
    }
    for (const char* name : {"norm.bias", "blocks.2.attn.qkv.bias", "patch_embed.proj.bias"}) {
        EXPECT_EQ(std::set<float>(store->tensor(name).begin(), store->tensor(name).end()), std::set<float>{0.0F});
    }
    EXPECT_GT(std::set<float>(store->tensor("pos_embed").begin(), store->tensor("pos_embed").end()).size(), 100U);
    EXPECT_NE(store->tensor("cls_token")[0], 0.0F);

    const auto deeper = make_vit(16, 4, 48, 5, 3);
    const auto other = weight_store::random(deeper, 7);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), other->tensor("blocks.0.mlp.fc1.weight").begin()));
    EXPECT_EQ(weight_store::random(config, 7)->fingerprint(), store->fingerprint());
    EXPECT_NE(weight_store::random(config, 8)->fingerprint(), store->fingerprint());
    EXPECT_NE(store->tensor("blocks.0.mlp.fc1.weight")[0], store->tensor("blocks.1.mlp.fc1.weight")[0]);
}

TEST(given_tensors, must_be_exactly_the_backbone) {
    tensor_map tensors;
    for (const auto& spec : tiny()->tensors()) {
        tensors[spec.name].resize(static_cast<std::size_t>(spec.elements()));
    }
    const auto message = [](const tensor_map& given) {
        try {
            weight_store::from_tensors(tiny(), given);
        } catch (const usage_error& problem) {
            return std::string(problem.what());
        }
        return std::string("accepted");
    };
    EXPECT_EQ(message(tensors), "accepted");
    auto missing = tensors;
    missing.erase("norm.bias");
    EXPECT_NE(message(missing).find("'norm.bias' is missing"), std::string::npos);
    auto longer = tensors;
    longer["norm.bias"].resize(25);
    EXPECT_NE(message(longer).find("'norm.bias' has 25 values, wants 24"), std::string::npos);
    auto more = tensors;
    more["head.bias"].resize(7);
    EXPECT_NE(message(more).find("'head.bias' is unknown"), std::string::npos);
    EXPECT_THROW(weight_store::from_tensors(tiny(), tensors)->tensor("head.bias"), runtime_failure);
}

TEST_F(weight_store_test, opens_the_golden_backbone) {
    const auto golden = fs::path(__FILE__).parent_path().parent_path() / "golden" / "tiny_vit.safetensors";
    const auto store = weight_store::open(golden, tiny(), cache);
    EXPECT_EQ(store->metadata().at("heads"), "3");
    // The file is written by Python; its first tensor in file order is the CLS token, whose bytes start the data.
    const safetensors_file source(golden);
    EXPECT_EQ(source.tensors().front().name, "cls_token");
    EXPECT_EQ(std::memcmp(store->tensor("cls_token").data(), source.bytes(source.tensors().front()).data(), 24 * 4), 0);
}

TEST_F(weight_store_test, opens_a_real_half_precision_checkpoint) {
    const auto path = real_data("vit_tiny_patch16_224_augreg.fp16.safetensors");
    if (!path) {
        GTEST_SKIP() << "no real ViT-Ti weights: neither GAISNET_DATA nor shared/data beside the project has them";
    }
    const auto config = make_vit(224, 16, 192, 12, 3, "vit_tiny");
    const auto store = weight_store::open(*path, config, cache);
    EXPECT_TRUE(any_note_has(*store, "head"));
    for (const auto& spec : config->tensors()) {
        const auto values = store->tensor(spec.name);
        EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](float value) { return value != 0.0F; })) << spec.name;
    }
}

} // namespace
} // namespace gaisnet
