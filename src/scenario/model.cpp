#include "scenario/model.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

/// The key's value when no preset is chosen.
constexpr const char* custom = "custom";

struct preset {
    const char* name;
    std::int64_t heads;
};
constexpr preset named[] = {{"vit_tiny", 3}, {"vit_small", 6}, {"vit_base", 12}};

} // namespace

std::string vit_config::choose_preset() {
    std::vector<word<std::string>> words{{custom, custom}};
    for (const auto& one : named) {
        words.push_back({one.name, one.name});
    }
    return key.choice("preset", custom, std::span<const word<std::string>>(words), "size of the Vision Transformer");
}

const std::vector<vit_config>& vit_config::presets() {
    static const auto all = [] {
        std::vector<vit_config> made;
        for (const auto& one : named) {
            made.push_back({one.name, 224, 16, 64 * one.heads, 12, one.heads});
        }
        return made;
    }();
    return all;
}

std::vector<std::pair<std::string, std::int64_t>> vit_config::sizes() const {
    return {{"model.image", image},
            {"model.patch", patch},
            {"model.dim", dim},
            {"model.depth", depth},
            {"model.heads", heads}};
}

void resolve_model(settings& values) {
    const auto name = values.at("model.preset").value;
    for (const auto& one : vit_config::presets()) {
        for (const auto& [key, size] : one.preset == name ? one.sizes() : decltype(one.sizes())()) {
            if (values.at(key).is_default()) {
                values[key] = {std::to_string(size), "model.preset = " + name, true};
            }
        }
    }
}

void check_model(const scenario& scene, const value_reader& in) {
    const auto& vit = scene.model.vit;
    for (const auto& one : vit_config::presets()) {
        const auto own = vit.sizes(), its = one.sizes();
        for (std::size_t i = 0; vit.preset == one.preset && i < its.size(); ++i) {
            if (own[i] != its[i]) {
                in.reject(its[i].first, "model.preset = " + vit.preset + " has " + std::to_string(its[i].second) +
                                            "; other sizes go with model.preset = custom");
            }
        }
    }
    if (vit.image % vit.patch != 0) {
        in.reject("model.image", "it must be a multiple of model.patch = " + std::to_string(vit.patch));
    }
    if (vit.dim % vit.heads != 0) {
        in.reject("model.dim", "it must be a multiple of model.heads = " + std::to_string(vit.heads));
    }
    if (scene.model.weights.empty()) {
        in.reject("model.weights", "a safetensors file, or random, is accepted");
    }
}

} // namespace gaisnet
