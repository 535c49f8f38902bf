#include "model/files/tuned_modules.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "model/files/safetensors.hpp"
#include "settings/key.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace gaisnet {

std::map<std::string, std::string> metadata_of(const tuning_settings& tuning, std::int64_t rank) {
    std::string targets = tuning.targets.empty() ? "all" : "";
    for (const auto layer : tuning.targets) {
        targets += std::string(targets.empty() ? "" : ", ") + name_in(block_linear_words, layer);
    }
    return {{"method", tuning.method},      {"prompts", std::to_string(tuning.prompts)},
            {"rank", std::to_string(rank)}, {"alpha", fmt::format("{}", tuning.alpha)},
            {"targets", targets},           {"bottleneck", std::to_string(tuning.bottleneck)}};
}

std::vector<std::pair<std::string, std::string>> settings_of(const modules_file& file) {
    const auto& method = file.metadata.at("method");
    const auto method_of = [&](const std::string&) { return method; }; // tuning.* depend on no other key
    const std::string section = "tuning.";
    std::vector<std::pair<std::string, std::string>> settings{{"tuning.method", method}};
    for (const auto& key : all_keys()) {
        const auto value = key.name.starts_with(section) && key.name != "tuning.method"
                               ? file.metadata.find(key.name.substr(section.size()))
                               : file.metadata.end();
        if (value != file.metadata.end() && without_effect(key.name, "finetune", method_of).empty()) {
            settings.emplace_back(key.name, value->second);
        }
    }
    return settings;
}

modules_file open_modules(const std::filesystem::path& path) {
    const safetensors_file file(path);
    modules_file out{path, file.metadata(), {}};
    const auto classes = out.metadata.find("classes");
    if (!out.metadata.contains("method") || classes == out.metadata.end()) {
        throw usage_error(path.string() + " holds no tuned modules: its metadata lack " +
                          (out.metadata.contains("method") ? "classes" : "method") +
                          "; a file that finetune has written beside its output is accepted");
    }
    try {
        out.classes = nlohmann::json::parse(classes->second).get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception&) {
        throw usage_error(path.string() + ": classes in its metadata is no list of names");
    }
    return out;
}

tensor_view read_modules(const modules_file& modules, const std::vector<tunable_spec>& tunables) {
    const safetensors_file file(modules.path);
    std::int64_t elements = 0;
    for (const auto& tunable : tunables) {
        const auto* entry = file.find(tunable.tensor.name);
        if (!entry || entry->shape != tunable.tensor.shape) {
            throw usage_error(modules.path.string() + ": the model needs " + printable(tunable.tensor.name) + " " +
                              shape_text(tunable.tensor.shape) + ", and the file has " +
                              (entry ? shape_text(entry->shape) : std::string("none")) +
                              ": the model that the modules were tuned on is accepted (model.*)");
        }
        elements += tunable.tensor.elements();
    }
    if (file.tensors().size() != tunables.size()) {
        const auto stranger = std::find_if(file.tensors().begin(), file.tensors().end(), [&](const auto& one) {
            return std::none_of(tunables.begin(), tunables.end(),
                                [&](const tunable_spec& known) { return known.tensor.name == one.name; });
        });
        throw usage_error(modules.path.string() + ": the model has no " + printable(stranger->name) +
                          ": the model that the modules were tuned on is accepted (model.*)");
    }
    auto values = tensor_view::allocate({elements});
    auto* out = values.as<float>();
    for (const auto& tunable : tunables) {
        const auto count = static_cast<std::size_t>(tunable.tensor.elements());
        file.read_float32(tunable.tensor.name, std::span(out, count));
        if (!std::all_of(out, out + count, [](float value) { return std::isfinite(value); })) {
            throw usage_error(modules.path.string() + ": " + printable(tunable.tensor.name) +
                              " has values that are not finite");
        }
        out += count;
    }
    return values;
}

void write_modules(const std::filesystem::path& path, const std::vector<tunable_spec>& tunables,
                   const tensor_view& values, std::map<std::string, std::string> metadata) {
    std::vector<tensor_to_write> tensors;
    const auto* next = values.as<float>();
    for (const auto& tunable : tunables) {
        const auto elements = static_cast<std::size_t>(tunable.tensor.elements());
        tensors.emplace_back(tunable.tensor.name, tunable.tensor.shape, std::span<const float>(next, elements));
        next += elements;
    }
    write_safetensors(path, tensors, metadata);
}

} // namespace gaisnet
