#include "experiment/text_lengths.hpp"

#include "base/error.hpp"
#include "model/family.hpp"

#include <fmt/format.h>

#include <string>

namespace gaisnet {

std::int64_t positions_of_texts(const foundation_model& model, const tuning_method& method) {
    return model.positions() - (model.leading_tokens() > 0 ? 0 : method.change(model, 0).prompts);
}

void check_text_lengths(const scenario& scene, const tuning_method& method, bool trains, bool writes) {
    const auto model = make_model(scene);
    if (!model->takes_tokens()) {
        return;
    }
    const auto most = positions_of_texts(*model, method);
    const auto check = [&](std::int64_t tokens, const std::string& words) {
        if (tokens > most) {
            const auto prompts = model->positions() - most;
            throw usage_error(fmt::format(
                "{} {} tokens{}, and the model has model.positions = {}", words, tokens + prompts,
                prompts > 0 ? fmt::format(", with {} of tuning.prompts", prompts) : "", model->positions()));
        }
    };
    if (trains) {
        check(scene.model.tokens, fmt::format("model.tokens = {}:", scene.model.tokens));
    }
    if (!writes || !scene.model.tells_next_tokens()) {
        return;
    }
    const auto& infer = scene.infer;
    const bool own = !infer.prompts.empty();
    if (!own && infer.prompt_tokens > scene.model.tokens) {
        throw usage_error(fmt::format("infer.prompt_tokens = {}: a sample has model.tokens = {}", infer.prompt_tokens,
                                      scene.model.tokens));
    }
    check(infer.generate + (own ? 1 : infer.prompt_tokens),
          fmt::format("infer.generate = {}: with the prompt", infer.generate));
}

} // namespace gaisnet
