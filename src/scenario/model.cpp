#include "scenario/model.hpp"

#include "base/registry.hpp"
#include "scenario/model_config.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <cstdlib>
#include <filesystem>

namespace gaisnet {

namespace {

const registration<model_preset> every_size_by_its_key{{"custom", {}}};

/// What the folder of model.weights tells; nothing of a file, or of a folder without a config.json.
std::vector<configured_value> told_by_folder(const std::string& weights) {
    std::error_code ignored;
    const std::filesystem::path folder(weights);
    return std::filesystem::is_regular_file(folder / "config.json", ignored) ? read_model_config(folder)
                                                                             : std::vector<configured_value>();
}

bool is_same(const std::string& a, const std::string& b) {
    const auto number = [](const std::string& text, double& value) {
        char* end = nullptr;
        value = std::strtod(text.c_str(), &end);
        return !text.empty() && *end == '\0';
    };
    double first = 0, second = 0;
    return a == b || (number(a, first) && number(b, second) && first == second);
}

} // namespace

void resolve_model(settings& values) {
    const auto name = values.at("model.preset").value;
    const auto* preset = registry<model_preset>::find(name);
    for (const auto& [key, size] : preset ? preset->sizes : decltype(preset->sizes)()) {
        if (values.at(key).is_default()) {
            values[key] = {size, "model.preset = " + name, true};
        }
    }
    const auto weights = values.at("model.weights").value;
    std::string folder;
    try {
        folder = expanded_path(weights);
    } catch (const usage_error& problem) {
        value_reader(values).reject("model.weights", problem.what());
    }
    for (const auto& [key, value, fixed] : told_by_folder(folder)) {
        if (values.at(key).is_default()) {
            values[key] = {value, "model.weights = " + weights, true};
        }
    }
}

bool model_settings::takes_texts() const { return registry<family_entry>::at(family, "model.family").takes_texts; }

bool model_settings::tells_next_tokens() const {
    return task == model_task::next_token ||
           (task == model_task::automatic && registry<family_entry>::at(family, "model.family").causal);
}

void check_model(const scenario& scene, const value_reader& in) {
    for (const auto& [key, size] : registry<model_preset>::at(scene.model.preset, "model.preset").sizes) {
        if (in.text(key) != size) {
            in.reject(key, "model.preset = " + scene.model.preset + " has " + size +
                               "; other sizes go with model.preset = custom");
        }
    }
    for (const auto& [key, value, fixed] : told_by_folder(scene.model.weights)) {
        if (fixed && !is_same(in.text(key), value)) {
            in.reject(key, "config.json of model.weights = " + scene.model.weights + " has " + value);
        }
    }
    const auto& family = registry<family_entry>::at(scene.model.family, "model.family");
    family.check(scene, in);
    if (scene.model.task == model_task::next_token && !family.causal) {
        in.reject("model.task",
                  "model.family = " + scene.model.family + " does not tell next tokens; classification is accepted");
    }
    if (scene.model.weights.empty()) {
        in.reject("model.weights", "a safetensors file, or random, is accepted");
    }
}

} // namespace gaisnet
