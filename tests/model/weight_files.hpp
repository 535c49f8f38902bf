#pragma once

// Files of weights with known values, and stores made of them.

#include "base/error.hpp"
#include "model/files/safetensors.hpp"
#include "model/files/weight_store.hpp"
#include "model/vit/weight_names.hpp"
#include "support/temporary_folder.hpp"
#include "support/vits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet::weight_files {

namespace fs = std::filesystem;

/// Tensors of a checkpoint as they will stand in the file: shape and values, by the file's names.
struct vit_checkpoint {
    struct entry {
        std::vector<std::int64_t> shape;
        std::vector<float> values;
    };
    std::map<std::string, entry> tensors;
    std::map<std::string, std::string> metadata;

    void write(const fs::path& path) const {
        std::vector<tensor_to_write> list;
        for (const auto& [name, tensor] : tensors) {
            list.emplace_back(name, tensor.shape, std::span<const float>(tensor.values));
        }
        write_safetensors(path, list, metadata);
    }
    void add(const std::string& name, std::vector<std::int64_t> shape) {
        std::int64_t count = 1;
        for (const auto extent : shape) {
            count *= extent;
        }
        tensors[name] = {std::move(shape), std::vector<float>(static_cast<std::size_t>(count), 0.5F)};
    }
    void rename(const std::string& from, const std::string& to) {
        auto node = tensors.extract(from);
        node.key() = to;
        tensors.insert(std::move(node));
    }
};

inline std::shared_ptr<const vit> tiny() { return make_vit(16, 4, 24, 3, 3); }

/// Every value differs from every other, so that a mistaken place shows.
inline vit_checkpoint timm_checkpoint(const std::shared_ptr<const vit>& model) {
    vit_checkpoint result;
    float next = 1.0F;
    for (const auto& spec : model->tensors()) {
        result.add(spec.name, spec.shape);
        for (auto& value : result.tensors[spec.name].values) {
            value = next++;
        }
    }
    return result;
}

/// The same weights under Hugging Face's names, written down by hand from the names of ViTModel's parameters.
inline vit_checkpoint hugging_face_checkpoint(const std::shared_ptr<const vit>& model, const std::string& prefix) {
    auto result = timm_checkpoint(model);
    const std::string embeddings = prefix + "embeddings.";
    result.rename("cls_token", embeddings + "cls_token");
    result.rename("pos_embed", embeddings + "position_embeddings");
    for (const std::string kind : {".weight", ".bias"}) {
        result.rename("patch_embed.proj" + kind, embeddings + "patch_embeddings.projection" + kind);
        result.rename("norm" + kind, prefix + "layernorm" + kind);
        for (std::int64_t i = 0; i < model->depth(); ++i) {
            const auto from = "blocks." + std::to_string(i) + ".";
            const auto to = prefix + "encoder.layer." + std::to_string(i) + ".";
            result.rename(from + "norm1" + kind, to + "layernorm_before" + kind);
            result.rename(from + "norm2" + kind, to + "layernorm_after" + kind);
            result.rename(from + "attn.proj" + kind, to + "attention.output.dense" + kind);
            result.rename(from + "mlp.fc1" + kind, to + "intermediate.dense" + kind);
            result.rename(from + "mlp.fc2" + kind, to + "output.dense" + kind);
            const auto qkv = result.tensors.extract(from + "attn.qkv" + kind).mapped();
            const auto third = static_cast<std::ptrdiff_t>(qkv.values.size() / 3);
            auto shape = qkv.shape;
            shape[0] /= 3;
            std::ptrdiff_t start = 0;
            for (const std::string part : {"query", "key", "value"}) {
                result.tensors[to + "attention.attention." + part + kind] = {
                    shape, {qkv.values.begin() + start, qkv.values.begin() + start + third}};
                start += third;
            }
        }
    }
    return result;
}

class weight_store_test : public in_temporary_folder {
protected:
    std::vector<fs::path> images() const {
        std::vector<fs::path> paths;
        for (const auto& entry : fs::directory_iterator(cache)) {
            if (entry.path().extension() == ".f32") {
                paths.push_back(entry.path());
            }
        }
        return paths;
    }
    /// Opening the checkpoint must throw one usage_error that names the file and holds every one of `words`.
    void expect_refused(const vit_checkpoint& weights, const std::shared_ptr<const vit>& model,
                        const std::vector<std::string>& words) {
        weights.write(file);
        try {
            weight_store::open(file, model, cache);
            ADD_FAILURE() << "accepted, but should fail with: " << testing::PrintToString(words);
        } catch (const usage_error& problem) {
            const std::string message = problem.what();
            EXPECT_NE(message.find(file.string()), std::string::npos) << message;
            for (const auto& word : words) {
                EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
            }
        }
    }

    fs::path folder = temporary;
    fs::path cache = folder / "cache";
    fs::path file = folder / "weights.safetensors";
};

inline void expect_holds(const weight_store& store, const vit_checkpoint& timm) {
    for (const auto& spec : store.model().tensors()) {
        const auto values = store.tensor(spec.name);
        const auto& expected = timm.tensors.at(spec.name).values;
        EXPECT_TRUE(std::equal(values.begin(), values.end(), expected.begin(), expected.end())) << spec.name;
        EXPECT_EQ(store.shape(spec.name), spec.shape);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % 64, 0U) << spec.name;
    }
}

inline bool any_note_has(const weight_store& store, const std::string& text) {
    return std::any_of(store.notes().begin(), store.notes().end(),
                       [&](const auto& note) { return note.find(text) != std::string::npos; });
}

} // namespace gaisnet::weight_files
