#include "scenario/tuning.hpp"

#include <algorithm>

namespace gaisnet {

std::string tuning_settings::choose_method() {
    std::vector<word<std::string>> words;
    for (const auto* name : {"prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full"}) {
        words.push_back({name, name});
    }
    return key.choice("method", "prompt_deep", std::span<const word<std::string>>(words),
                      "what is tuned beside the head");
}

std::vector<block_linear> tuning_settings::parse_targets(const std::string& text) {
    std::vector<block_linear> targets;
    for (const auto& name : split_text(text, ',')) {
        const auto found = std::find_if(std::begin(block_linear_words), std::end(block_linear_words),
                                        [&](const auto& one) { return one.text == name; });
        if (found == std::end(block_linear_words) ||
            std::find(targets.begin(), targets.end(), found->value) != targets.end()) {
            throw usage_error("\"" + name + "\": some of q, k, v, proj, fc1, fc2, each once, are accepted");
        }
        targets.push_back(found->value);
    }
    if (targets.empty()) {
        throw usage_error("some of q, k, v, proj, fc1, fc2 are accepted");
    }
    return targets;
}

} // namespace gaisnet
