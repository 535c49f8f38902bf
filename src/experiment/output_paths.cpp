#include "experiment/output_paths.hpp"

#include "base/error.hpp"
#include "data/image_folder.hpp"
#include "data/text_tree.hpp"
#include "rounds/checkpoint.hpp"
#include "settings/key.hpp"
#include "settings/value_reader.hpp"

#include <fmt/format.h>

#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

/// Keys and folders from which a command may read samples.
std::vector<std::pair<std::string, std::string>> folders_of_samples(const scenario& scene, const std::string& command) {
    std::vector<std::pair<std::string, std::string>> all{{"infer.images", scene.infer.images},
                                                         {"infer.prompts", scene.infer.prompts},
                                                         {"probe.unseen", scene.probe.unseen_root},
                                                         {"pretrain.root", scene.pretrain.root}};
    for (const auto& root : scene.data.roots) {
        all.emplace_back("data.root", root);
    }
    std::erase_if(all, [&](const auto& one) {
        return one.second.empty() || (find_key(one.first)->commands & commands::named(command)) == 0;
    });
    return all;
}

/// Whether a path names an existing file inside a folder.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
    std::error_code code;
    if (!std::filesystem::exists(path, code)) {
        return false;
    }
    const auto relative =
        std::filesystem::canonical(path, code).lexically_relative(std::filesystem::canonical(folder, code));
    return !code && !relative.empty() && *relative.begin() != "..";
}

} // namespace

std::filesystem::path network_path(const scenario& scene) { return beside_output(scene.output, ".network.json"); }

std::filesystem::path modules_path(const scenario& scene, int edge) {
    return beside_output(scene.output, scene.network.edges > 1 ? fmt::format(".edge{}.safetensors", edge)
                                                               : std::string(".safetensors"));
}

std::filesystem::path predictions_path(const scenario& scene) {
    return beside_output(scene.output, scene.model.tells_next_tokens() ? ".predictions.jsonl" : ".predictions.csv");
}

void check_outputs(const configuration& given, const scenario& scene) {
    namespace fs = std::filesystem;
    std::vector<std::pair<std::string, std::string>> inputs{{"model.weights", scene.model.weights},
                                                            {"data.tokenizer", scene.data.tokenizer}};
    for (const auto& file : scene.infer.modules) {
        inputs.emplace_back("infer.modules", file);
    }
    for (const auto& key : all_keys()) {
        if (key.kind == value_kind::file) {
            inputs.emplace_back(key.name, expanded_path(given.values.at(key.name).value));
        }
    }
    for (const auto& file : given.files) {
        inputs.emplace_back("--config", file);
    }
    std::vector<fs::path> outputs{scene.output};
    std::error_code code;
    if (given.command == "infer") {
        outputs.push_back(predictions_path(scene));
        const bool exists = fs::exists(outputs.back(), code);
        if (exists && !fs::is_regular_file(outputs.back(), code)) {
            throw usage_error("output " + scene.output + ": the predictions go to " + outputs.back().string() +
                              ", which is not a regular file; another output is accepted");
        }
        if (exists && !scene.overwrite && scene.resume.empty()) {
            throw usage_error("output " + scene.output + ": the predictions go to " + outputs.back().string() +
                              ", which exists; another output, or overwrite = on, is accepted");
        }
    }
    for (const auto& output : outputs) {
        for (const auto& [key, input] : inputs) {
            const auto extension = output.extension();
            const bool of_model = extension == ".json" || extension == ".safetensors"; // in a folder of Hugging Face's
            if (!input.empty() && (fs::equivalent(output, input, code) || (of_model && lies_in(output, input)))) {
                throw usage_error("output " + scene.output + ": " + output.string() + " is " +
                                  (fs::is_directory(input, code) ? "in " : "") + key + "; another output is accepted");
            }
        }
        const bool texts = scene.model.takes_texts();
        for (const auto& [key, folder] : folders_of_samples(scene, given.command)) {
            if ((texts ? is_text_name(output) : is_image_name(output)) && lies_in(output, folder)) {
                throw usage_error("output " + scene.output + ": " + output.string() + " is " +
                                  (texts ? "a text" : "an image") + " in " + key + " = " + folder +
                                  "; another output is accepted");
            }
        }
    }
}

void check_modules_path(const scenario& scene) {
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        const auto path = modules_path(scene, edge);
        std::error_code code;
        if (!std::filesystem::exists(path, code)) {
            continue;
        }
        const std::string start = "output " + scene.output + ": the tuned modules go to " + path.string();
        if (std::filesystem::equivalent(path, scene.model.weights, code)) {
            throw usage_error(start + ", which is model.weights; another output is accepted");
        }
        if (!std::filesystem::is_regular_file(path, code)) {
            throw usage_error(start + ", which is not a regular file; another output is accepted");
        }
        if (!scene.overwrite && scene.resume.empty()) {
            throw usage_error(start + ", which exists; another output, or overwrite = on, is accepted");
        }
    }
}

} // namespace gaisnet
