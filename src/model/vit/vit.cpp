#include "model/vit/vit.hpp"

#include "base/registry.hpp"
#include "model/vit/weight_names.hpp"
#include "scenario/model_config.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

namespace {

constexpr std::int64_t mlp_ratio = 4;

block_shape shape_of(const model_settings& sizes) {
    const auto side = sizes.image / sizes.patch;
    return {.tokens = 1 + side * side,
            .dim = sizes.dim,
            .heads = sizes.heads,
            .hidden = sizes.hidden > 0 ? sizes.hidden : mlp_ratio * sizes.dim};
}

model_preset preset(const char* name, int heads) {
    return {name,
            {{"model.family", "vit"},
             {"model.image", "224"},
             {"model.patch", "16"},
             {"model.dim", std::to_string(64 * heads)},
             {"model.depth", "12"},
             {"model.heads", std::to_string(heads)}}};
}

// Touvron et al., ICML 2021 (tiny, small); Dosovitskiy et al. (base).
const registration<model_preset> tiny_sizes{preset("vit_tiny", 3)};
const registration<model_preset> small_sizes{preset("vit_small", 6)};
const registration<model_preset> base_sizes{preset("vit_base", 12)};

void check_vit(const scenario& scene, const value_reader& in) {
    const auto& sizes = scene.model;
    if (sizes.image % sizes.patch != 0) {
        in.reject("model.image", "it must be a multiple of model.patch = " + std::to_string(sizes.patch));
    }
    if (sizes.dim % sizes.heads != 0) {
        in.reject("model.dim", "it must be a multiple of model.heads = " + std::to_string(sizes.heads));
    }
}

const registration<family_entry> registered_vit{{"vit",
                                                 [](const scenario& scene) -> std::shared_ptr<const foundation_model> {
                                                     return std::make_shared<vit>(scene.model);
                                                 },
                                                 check_vit}};

/// ViTConfig of transformers.
std::vector<configured_value> read_vit(const model_config& config) {
    config.accept("hidden_act", {"gelu"});
    if (!config.flag("qkv_bias", true)) {
        config.refuse("qkv_bias", "query, key and value have a bias in the models that are accepted");
    }
    if (config.integer("num_channels", 3) != 3) {
        config.refuse("num_channels", "3 is accepted");
    }
    const auto dim = config.integer("hidden_size", 768);
    return {{"model.family", "vit"},
            // Positions are interpolated for images of another size.
            {"model.image", setting_text(config.integer("image_size", 224)), /*fixed=*/false},
            {"model.patch", setting_text(config.integer("patch_size", 16))},
            {"model.dim", setting_text(dim)},
            {"model.depth", setting_text(config.integer("num_hidden_layers", 12))},
            {"model.heads", setting_text(config.integer("num_attention_heads", 12))},
            {"model.hidden", setting_text(config.integer("intermediate_size", 4 * dim))},
            {"model.norm_eps", setting_text(config.real("layer_norm_eps", 1e-12))}};
}
const registration<config_entry> registered_vit_config{{"vit", read_vit}};

} // namespace

vit::vit(const model_settings& sizes): foundation_model(shape_of(sizes), sizes.depth), sizes_(sizes) {}

std::vector<tensor_spec> vit::embedding_tensors() const {
    return {{"cls_token", {1, 1, dim()}},
            {"pos_embed", {1, tokens(), dim()}},
            {"patch_embed.proj.weight", {dim(), 3, patch(), patch()}},
            {"patch_embed.proj.bias", {dim()}}};
}

std::vector<tensor_spec> vit::block_tensors(std::int64_t block) const {
    const std::string prefix = "blocks." + std::to_string(block) + ".";
    const auto d = dim(), hidden = shape().hidden;
    return {{prefix + "norm1.weight", {d}},           {prefix + "norm1.bias", {d}},
            {prefix + "attn.qkv.weight", {3 * d, d}}, {prefix + "attn.qkv.bias", {3 * d}},
            {prefix + "attn.proj.weight", {d, d}},    {prefix + "attn.proj.bias", {d}},
            {prefix + "norm2.weight", {d}},           {prefix + "norm2.bias", {d}},
            {prefix + "mlp.fc1.weight", {hidden, d}}, {prefix + "mlp.fc1.bias", {hidden}},
            {prefix + "mlp.fc2.weight", {d, hidden}}, {prefix + "mlp.fc2.bias", {d}}};
}

std::vector<tensor_spec> vit::norm_tensors() const { return {{"norm.weight", {dim()}}, {"norm.bias", {dim()}}}; }

double vit::embedding_mac() const {
    return static_cast<double>(patches() * patch_values()) * static_cast<double>(dim());
}

backbone_match vit::match(const safetensors_file& file) const { return match_vit(file, *this); }

} // namespace gaisnet
