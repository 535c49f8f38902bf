#include "model/language/language_model.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

std::vector<tensor_spec> causal_language_model::output_tensors() const {
    const auto name = tied_output() ? embedding_tensors().front().name : std::string("lm_head.weight");
    return {{name, {vocabulary(), dim()}}};
}

block_shape usual_shape(const model_settings& sizes) {
    return {.tokens = sizes.tokens,
            .dim = sizes.dim,
            .heads = sizes.heads,
            .hidden = sizes.hidden > 0 ? sizes.hidden : 4 * sizes.dim};
}

void add_linear(std::vector<tensor_spec>& tensors, const std::string& name, std::int64_t out, std::int64_t in,
                bool bias) {
    tensors.push_back({name + ".weight", {out, in}});
    if (bias) {
        tensors.push_back({name + ".bias", {out}});
    }
}

void add_norm(std::vector<tensor_spec>& tensors, const std::string& name, std::int64_t dim, bool bias) {
    tensors.push_back({name + ".weight", {dim}});
    if (bias) {
        tensors.push_back({name + ".bias", {dim}});
    }
}

void check_language_model(const scenario& scene, const value_reader& in) {
    const auto& sizes = scene.model;
    if (sizes.dim % sizes.heads != 0) {
        in.reject("model.dim", "it must be a multiple of model.heads = " + std::to_string(sizes.heads));
    }
    if (sizes.tokens > sizes.positions) {
        in.reject("model.tokens", "at most model.positions = " + std::to_string(sizes.positions) + " are accepted");
    }
}

} // namespace gaisnet
