#include "model/llama/llama.hpp"

#include "base/registry.hpp"
#include "model/language/hub_names.hpp"
#include "scenario/model_config.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

namespace {

block_shape llama_shape(const model_settings& sizes) {
    // Two thirds of four times the width, so that three matrices have as many values as two; rounded up to eights.
    const auto usual = (8 * sizes.dim / 3 + 7) / 8 * 8;
    return {.tokens = sizes.tokens,
            .dim = sizes.dim,
            .heads = sizes.heads,
            .hidden = sizes.hidden > 0 ? sizes.hidden : usual,
            .kv_heads = sizes.kv_heads,
            .gated = true,
            .rms = true};
}

void check_llama(const scenario& scene, const value_reader& in) {
    check_language_model(scene, in);
    const auto& sizes = scene.model;
    if (sizes.kv_heads > 0 && sizes.heads % sizes.kv_heads != 0) {
        in.reject("model.kv_heads", "it must divide model.heads = " + std::to_string(sizes.heads));
    }
    if (sizes.dim / sizes.heads % 2 != 0) {
        in.reject("model.heads", "model.dim / model.heads must be even, for rotary positions");
    }
}

const registration<family_entry> registered_llama{
    {"llama",
     [](const scenario& scene) -> std::shared_ptr<const foundation_model> {
         return std::make_shared<llama>(scene.model);
     },
     check_llama, /*takes_texts=*/true, /*causal=*/true}};

// Zhang et al., 2024 (TinyLlama); Qwen team, 2024 (Qwen2.5).
const registration<model_preset> tinyllama_sizes{{"tinyllama",
                                                  {{"model.family", "llama"},
                                                   {"model.vocabulary", "32000"},
                                                   {"model.positions", "2048"},
                                                   {"model.dim", "2048"},
                                                   {"model.depth", "22"},
                                                   {"model.heads", "32"},
                                                   {"model.kv_heads", "4"},
                                                   {"model.hidden", "5632"},
                                                   {"model.norm_eps", "1e-05"},
                                                   {"model.tied", "off"}}}};
const registration<model_preset> qwen_sizes{{"qwen2.5_0.5b",
                                             {{"model.family", "llama"},
                                              {"model.vocabulary", "151936"},
                                              {"model.positions", "32768"},
                                              {"model.dim", "896"},
                                              {"model.depth", "24"},
                                              {"model.heads", "14"},
                                              {"model.kv_heads", "2"},
                                              {"model.hidden", "4864"},
                                              {"model.norm_eps", "1e-06"},
                                              {"model.rope_theta", "1e+06"},
                                              {"model.qkv_bias", "on"},
                                              {"model.tied", "on"}}}};

/// The base of rotary positions. transformers 5 has an object of its own for it.
double rope_theta_of(const model_config& config) {
    for (const auto* name : {"rope_scaling", "rope_parameters"}) {
        const auto rope = config.inside(name);
        const auto type = rope.text("rope_type", rope.text("type", "default"));
        if (type != "default") {
            rope.refuse(rope.has("rope_type") ? "rope_type" : "type",
                        "rotary positions that are scaled are not supported; those as they are, default, are accepted");
        }
    }
    const auto rope = config.inside("rope_parameters");
    for (const auto& from : {rope, config}) {
        if (from.real("partial_rotary_factor", 1.0) != 1.0) {
            from.refuse("partial_rotary_factor", "1 is accepted: heads that are rotated as a whole");
        }
    }
    return rope.real("rope_theta", config.real("rope_theta", 10000.0));
}

/// What LlamaConfig and Qwen2Config have in common.
std::vector<configured_value> read_llama_kind(const model_config& config, bool qkv_bias, std::int64_t positions) {
    config.accept("hidden_act", {"silu", "swish"});
    for (const auto* name : {"use_qk_norm", "qk_norm", "qk_layernorm"}) {
        config.refuse_if_on(name, "norms of queries and keys are not supported");
    }
    const auto dim = config.integer("hidden_size"), heads = config.integer("num_attention_heads");
    if (heads == 0 || dim % heads != 0) {
        config.refuse("num_attention_heads", "a divisor of hidden_size = " + std::to_string(dim) + " is accepted");
    }
    config.check_head(dim / heads);
    const auto most = config.integer("max_position_embeddings", positions);
    return {{"model.family", "llama"},
            {"model.vocabulary", setting_text(config.integer("vocab_size"))},
            {"model.tokens", setting_text(std::min(most, model_settings().tokens)), /*fixed=*/false},
            {"model.positions", setting_text(most)},
            {"model.dim", setting_text(dim)},
            {"model.depth", setting_text(config.integer("num_hidden_layers"))},
            {"model.heads", setting_text(heads)},
            {"model.kv_heads", setting_text(config.integer("num_key_value_heads", heads))},
            {"model.hidden", setting_text(config.integer("intermediate_size"))},
            {"model.norm_eps", setting_text(config.real("rms_norm_eps", 1e-6))},
            {"model.rope_theta", setting_text(rope_theta_of(config))},
            {"model.qkv_bias", setting_text(qkv_bias)},
            {"model.tied", setting_text(config.flag("tie_word_embeddings", false))}};
}

const registration<config_entry> registered_llama_config{
    {"llama", [](const model_config& config) {
         config.refuse_if_on("attention_bias", "attention without biases, false, is accepted");
         config.refuse_if_on("mlp_bias", "an MLP without biases, false, is accepted");
         return read_llama_kind(config, false, 2048);
     }}};
const registration<config_entry> registered_qwen_config{
    {"qwen2", [](const model_config& config) {
         config.refuse_if_on("use_sliding_window", "a sliding window is not supported; false is accepted");
         return read_llama_kind(config, true, 32768);
     }}};

} // namespace

llama::llama(const model_settings& sizes): causal_language_model(sizes, llama_shape(sizes), 1e-6) {}

std::vector<tensor_spec> llama::embedding_tensors() const { return {{"embed_tokens.weight", {vocabulary(), dim()}}}; }

std::vector<tensor_spec> llama::block_tensors(std::int64_t block) const {
    const auto name = "layers." + std::to_string(block) + ".";
    const auto d = dim(), kv = shape().kv_dim(), hidden = shape().hidden;
    const bool bias = sizes().qkv_bias;
    std::vector<tensor_spec> out;
    add_norm(out, name + "input_layernorm", d, false);
    add_linear(out, name + "self_attn.q_proj", d, d, bias);
    add_linear(out, name + "self_attn.k_proj", kv, d, bias);
    add_linear(out, name + "self_attn.v_proj", kv, d, bias);
    add_linear(out, name + "self_attn.o_proj", d, d, false);
    add_norm(out, name + "post_attention_layernorm", d, false);
    add_linear(out, name + "mlp.gate_proj", hidden, d, false);
    add_linear(out, name + "mlp.up_proj", hidden, d, false);
    add_linear(out, name + "mlp.down_proj", d, hidden, false);
    return out;
}

std::vector<tensor_spec> llama::norm_tensors() const { return {{"norm.weight", {dim()}}}; }

backbone_match llama::match(const safetensors_file& file) const {
    return match_hub_names(file, *this,
                           {.anchor = "embed_tokens.weight",
                            .without_prefix = {"lm_head."},
                            .ignored = {"score."},
                            .buffers = {"rotary_emb.inv_freq"}});
}

} // namespace gaisnet
