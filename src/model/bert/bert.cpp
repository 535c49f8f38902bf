#include "model/bert/bert.hpp"

#include "base/registry.hpp"
#include "model/language/hub_names.hpp"
#include "scenario/model_config.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

block_shape bert_shape(const model_settings& sizes) {
    auto shape = usual_shape(sizes);
    shape.post_norm = true;
    return shape;
}

const registration<family_entry> registered_bert{{"bert",
                                                  [](const scenario& scene) -> std::shared_ptr<const foundation_model> {
                                                      return std::make_shared<bert>(scene.model);
                                                  },
                                                  check_language_model, /*takes_texts=*/true}};

// Devlin et al., NAACL 2019.
const registration<model_preset> bert_base_sizes{{"bert_base",
                                                  {{"model.family", "bert"},
                                                   {"model.vocabulary", "30522"},
                                                   {"model.positions", "512"},
                                                   {"model.token_types", "2"},
                                                   {"model.dim", "768"},
                                                   {"model.depth", "12"},
                                                   {"model.heads", "12"}}}};

/// BertConfig of transformers.
const registration<config_entry> registered_bert_config{
    {"bert", [](const model_config& config) -> std::vector<configured_value> {
         config.accept("hidden_act", {"gelu"});
         config.accept("position_embedding_type", {"absolute"});
         config.refuse_if_on("is_decoder", "false is accepted");
         config.refuse_if_on("add_cross_attention", "false is accepted");
         const auto positions = config.integer("max_position_embeddings", 512);
         return {{"model.family", "bert"},
                 {"model.vocabulary", setting_text(config.integer("vocab_size", 30522))},
                 {"model.tokens", setting_text(std::min(positions, model_settings().tokens)), /*fixed=*/false},
                 {"model.positions", setting_text(positions)},
                 {"model.token_types", setting_text(config.integer("type_vocab_size", 2))},
                 {"model.dim", setting_text(config.integer("hidden_size", 768))},
                 {"model.depth", setting_text(config.integer("num_hidden_layers", 12))},
                 {"model.heads", setting_text(config.integer("num_attention_heads", 12))},
                 {"model.hidden", setting_text(config.integer("intermediate_size", 3072))},
                 {"model.norm_eps", setting_text(config.real("layer_norm_eps", 1e-12))}};
     }}};

} // namespace

bert::bert(const model_settings& sizes): language_model(sizes, bert_shape(sizes), 1e-12) {}

std::vector<tensor_spec> bert::embedding_tensors() const {
    const std::string name = "embeddings.";
    std::vector<tensor_spec> out{{name + "word_embeddings.weight", {vocabulary(), dim()}},
                                 {name + "position_embeddings.weight", {positions(), dim()}},
                                 {name + "token_type_embeddings.weight", {sizes().token_types, dim()}}};
    add_norm(out, name + "LayerNorm", dim(), true);
    return out;
}

std::vector<tensor_spec> bert::block_tensors(std::int64_t block) const {
    const auto name = "encoder.layer." + std::to_string(block) + ".";
    const auto d = dim(), hidden = shape().hidden;
    std::vector<tensor_spec> out;
    for (const auto* part : {"self.query", "self.key", "self.value"}) {
        add_linear(out, name + "attention." + part, d, d, true);
    }
    add_linear(out, name + "attention.output.dense", d, d, true);
    add_norm(out, name + "attention.output.LayerNorm", d, true);
    add_linear(out, name + "intermediate.dense", hidden, d, true);
    add_linear(out, name + "output.dense", d, hidden, true);
    add_norm(out, name + "output.LayerNorm", d, true);
    return out;
}

std::vector<tensor_spec> bert::norm_tensors() const {
    std::vector<tensor_spec> out;
    add_linear(out, "pooler.dense", dim(), dim(), true);
    return out;
}

std::int64_t bert::embedding_retained() const {
    // Numbers of tokens and of their kinds, and the input of LayerNorm with mean and deviation.
    return tokens() * (4 + dim() + 2);
}

backbone_match bert::match(const safetensors_file& file) const {
    // Old files call what LayerNorm multiplies gamma and what it adds beta.
    return match_hub_names(
        file, *this,
        {.anchor = "embeddings.word_embeddings.weight",
         .ignored = {"classifier.", "cls.", "qa_outputs."},
         .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"},
         .other_ends = {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}}});
}

} // namespace gaisnet
