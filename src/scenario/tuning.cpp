#include "scenario/tuning.hpp"

#include <algorithm>
#include <span>

namespace gaisnet {

namespace {

/// What Hugging Face's models call these layers.
constexpr word<block_linear> layers_elsewhere[] = {
    {"q_proj", block_linear::query},      {"k_proj", block_linear::key},  {"v_proj", block_linear::value},
    {"o_proj", block_linear::projection}, {"up_proj", block_linear::fc1}, {"down_proj", block_linear::fc2},
    {"gate_proj", block_linear::gate},    {"c_fc", block_linear::fc1}};

const word<block_linear>* layer_called(const std::string& name) {
    for (const auto words : {std::span<const word<block_linear>>(block_linear_words),
                             std::span<const word<block_linear>>(layers_elsewhere)}) {
        const auto found = std::find_if(words.begin(), words.end(), [&](const auto& one) { return one.text == name; });
        if (found != words.end()) {
            return &*found;
        }
    }
    return nullptr;
}

} // namespace

std::vector<block_linear> tuning_settings::parse_targets(const std::string& text) {
    const std::string accepted = "some of q, k, v, proj, fc1, fc2, gate, each once, or all, are accepted";
    std::vector<block_linear> targets;
    if (text == "all") {
        return targets;
    }
    for (const auto& name : split_text(text, ',')) {
        const auto* const found = layer_called(name);
        if (found == nullptr || std::find(targets.begin(), targets.end(), found->value) != targets.end()) {
            throw usage_error("\"" + name + "\": " + accepted);
        }
        targets.push_back(found->value);
    }
    if (targets.empty()) {
        throw usage_error(accepted);
    }
    return targets;
}

} // namespace gaisnet
