#include "scenario/tuning.hpp"

#include <algorithm>

namespace gaisnet {

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
