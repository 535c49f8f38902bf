#include "model/gpt2/gpt2.hpp"

#include "base/registry.hpp"
#include "model/language/hub_names.hpp"
#include "scenario/model_config.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

const registration<family_entry> registered_gpt2{{"gpt2",
                                                  [](const scenario& scene) -> std::shared_ptr<const foundation_model> {
                                                      return std::make_shared<gpt2>(scene.model);
                                                  },
                                                  check_language_model, /*takes_texts=*/true, /*causal=*/true}};

model_preset gpt2_preset(const char* name, int dim, int depth) {
    return {name,
            {{"model.family", "gpt2"},
             {"model.vocabulary", "50257"},
             {"model.positions", "1024"},
             {"model.dim", std::to_string(dim)},
             {"model.depth", std::to_string(depth)},
             {"model.heads", std::to_string(dim / 64)},
             {"model.tied", "on"}}};
}

// Radford et al., 2019.
const registration<model_preset> gpt2_sizes{gpt2_preset("gpt2", 768, 12)};
const registration<model_preset> gpt2_medium_sizes{gpt2_preset("gpt2_medium", 1024, 24)};

/// GPT2Config of transformers.
const registration<config_entry> registered_gpt2_config{
    {"gpt2", [](const model_config& config) -> std::vector<configured_value> {
         config.accept("activation_function", {"gelu_new", "gelu_pytorch_tanh"});
         config.refuse_if_on("scale_attn_by_inverse_layer_idx", "false is accepted");
         config.refuse_if_on("add_cross_attention", "false is accepted");
         if (!config.flag("scale_attn_weights", true)) {
             config.refuse("scale_attn_weights", "true is accepted");
         }
         const auto dim = config.integer("n_embd", 768), positions = config.integer("n_positions", 1024);
         return {{"model.family", "gpt2"},
                 {"model.vocabulary", setting_text(config.integer("vocab_size", 50257))},
                 {"model.tokens", setting_text(std::min(positions, model_settings().tokens)), /*fixed=*/false},
                 {"model.positions", setting_text(positions)},
                 {"model.dim", setting_text(dim)},
                 {"model.depth", setting_text(config.integer("n_layer", 12))},
                 {"model.heads", setting_text(config.integer("n_head", 12))},
                 {"model.hidden", setting_text(config.integer("n_inner", 4 * dim))},
                 {"model.norm_eps", setting_text(config.real("layer_norm_epsilon", 1e-5))},
                 {"model.tied", setting_text(config.flag("tie_word_embeddings", true))}};
     }}};

} // namespace

gpt2::gpt2(const model_settings& sizes): causal_language_model(sizes, usual_shape(sizes), 1e-5) {}

std::vector<tensor_spec> gpt2::embedding_tensors() const {
    return {{"wte.weight", {vocabulary(), dim()}}, {"wpe.weight", {positions(), dim()}}};
}

std::vector<tensor_spec> gpt2::block_tensors(std::int64_t block) const {
    const auto name = "h." + std::to_string(block) + ".";
    const auto d = dim(), hidden = shape().hidden;
    std::vector<tensor_spec> out;
    add_norm(out, name + "ln_1", d, true);
    add_linear(out, name + "attn.c_attn", 3 * d, d, true);
    add_linear(out, name + "attn.c_proj", d, d, true);
    add_norm(out, name + "ln_2", d, true);
    add_linear(out, name + "mlp.c_fc", hidden, d, true);
    add_linear(out, name + "mlp.c_proj", d, hidden, true);
    return out;
}

std::vector<tensor_spec> gpt2::norm_tensors() const { return {{"ln_f.weight", {dim()}}, {"ln_f.bias", {dim()}}}; }

bool gpt2::transposed_in_files(const tensor_spec& spec) const {
    return spec.name.starts_with("h.") && spec.shape.size() == 2;
}

backbone_match gpt2::match(const safetensors_file& file) const {
    // Files of GPT-2 itself have the causal mask as a tensor.
    return match_hub_names(file, *this,
                           {.anchor = "wte.weight",
                            .without_prefix = {"lm_head."},
                            .ignored = {"score.", "classifier."},
                            .buffers = {".attn.bias", ".attn.masked_bias"},
                            .transposed = [this](const tensor_spec& spec) { return transposed_in_files(spec); }});
}

} // namespace gaisnet
