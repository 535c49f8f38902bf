#include "scenario/model.hpp"

#include "base/registry.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

namespace {

const registration<model_preset> every_size_by_its_key{{"custom", {}}};

} // namespace

void resolve_model(settings& values) {
    const auto name = values.at("model.preset").value;
    const auto* preset = registry<model_preset>::find(name);
    for (const auto& [key, size] : preset ? preset->sizes : decltype(preset->sizes)()) {
        if (values.at(key).is_default()) {
            values[key] = {size, "model.preset = " + name, true};
        }
    }
}

void check_model(const scenario& scene, const value_reader& in) {
    for (const auto& [key, size] : registry<model_preset>::at(scene.model.preset, "model.preset").sizes) {
        if (in.text(key) != size) {
            in.reject(key, "model.preset = " + scene.model.preset + " has " + size +
                               "; other sizes go with model.preset = custom");
        }
    }
    registry<family_entry>::at(scene.model.family, "model.family").check(scene, in);
    if (scene.model.weights.empty()) {
        in.reject("model.weights", "a safetensors file, or random, is accepted");
    }
}

} // namespace gaisnet
