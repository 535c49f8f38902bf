#include "model/vit/weight_names.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"
#include "base/text.hpp"
#include "model/vit/positions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <string_view>

namespace gaisnet {

namespace {

/// Additional tensors that a checkpoint may contain; they are ignored.
constexpr std::array<std::string_view, 7> ignored_parts = {
    "head.", "head_dist.", "fc_norm.", "classifier.", "pooler.", "mask_token", "embeddings.mask_token"};

/// Parts of names that occur only in other kinds of Vision Transformers, and what they are.
struct foreign_part {
    std::string_view name;
    const char* what;
};
constexpr std::array<foreign_part, 18> foreign_parts = {{
    {"ls1.gamma", "layer scale (as DINOv2, CaiT and BEiT)"},
    {"layer_scale1.", "layer scale (as DINOv2)"},
    {"lambda_1", "layer scale (as BEiT)"},
    {"gamma_1", "layer scale (as CaiT and BEiT)"},
    {"dist_token", "a distillation token (as distilled DeiT)"},
    {"distillation_token", "a distillation token (as distilled DeiT)"},
    {"reg_token", "register tokens (as DINOv2 with registers)"},
    {"register_tokens", "register tokens (as DINOv2 with registers)"},
    {"norm_pre.", "a LayerNorm before the blocks (as CLIP)"},
    {"pre_layrnorm.", "a LayerNorm before the blocks (as CLIP)"},
    {"mlp.w12.", "SwiGLU in its blocks"},
    {"mlp.fc1_g.", "SwiGLU in its blocks"},
    {"weights_in.", "SwiGLU in its blocks"},
    {"attn.q_norm.", "LayerNorm of queries and keys"},
    {"relative_position_bias", "relative positions (as BEiT and Swin)"},
    {"rope.", "rotary positions"},
    {"decoder_blocks.", "a decoder (as a whole masked autoencoder)"},
    {"patch_embed.backbone.", "a convolutional network before the patches (a hybrid)"},
}};

bool replace_prefix(std::string& name, std::string_view from, std::string_view to) {
    if (!name.starts_with(from)) {
        return false;
    }
    name.replace(0, from.size(), to);
    return true;
}

/// The Hugging Face names (without "vit.") of one backbone tensor: three for qkv, otherwise one.
std::vector<std::string> hugging_face_names(std::string name) {
    if (name == "cls_token") {
        return {"embeddings.cls_token"};
    }
    if (name == "pos_embed") {
        return {"embeddings.position_embeddings"};
    }
    if (replace_prefix(name, "patch_embed.proj.", "embeddings.patch_embeddings.projection.") ||
        replace_prefix(name, "norm.", "layernorm.") || !replace_prefix(name, "blocks.", "encoder.layer.")) {
        return {name};
    }
    // Splits into "encoder.layer.I." and the rest.
    const auto split = name.find('.', std::string_view("encoder.layer.").size()) + 1;
    const std::string block = name.substr(0, split);
    std::string rest = name.substr(split);
    if (replace_prefix(rest, "attn.qkv.", "")) {
        const std::string attention = block + "attention.attention.";
        return {attention + "query." + rest, attention + "key." + rest, attention + "value." + rest};
    }
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> renamed = {{
        {"norm1.", "layernorm_before."},
        {"norm2.", "layernorm_after."},
        {"attn.proj.", "attention.output.dense."},
        {"mlp.fc1.", "intermediate.dense."},
        {"mlp.fc2.", "output.dense."},
    }};
    for (const auto& [from, to] : renamed) {
        if (replace_prefix(rest, from, to)) {
            break;
        }
    }
    return {block + rest};
}

enum class convention_kind { timm, hugging_face };

struct convention {
    convention_kind naming;
    std::string prefix; ///< Common prefix of the backbone's names: "vit.", "module." or none.

    std::vector<std::string> names_of(const std::string& timm_name) const {
        auto names = naming == convention_kind::timm ? std::vector{timm_name} : hugging_face_names(timm_name);
        for (auto& name : names) {
            name.insert(0, prefix);
        }
        return names;
    }
};

/// The prefix of `anchor` in the names that contain it as whole words; the shortest one, since a decoder may contain it
/// too.
std::optional<std::string> prefix_before(const safetensors_file& file, std::string_view anchor) {
    std::optional<std::string> shortest;
    for (const auto& tensor : file.tensors()) {
        const auto at = tensor.name.find(anchor);
        const bool whole = at != std::string::npos && (at == 0 || tensor.name[at - 1] == '.') &&
                           (anchor.ends_with('.') || at + anchor.size() == tensor.name.size());
        if (whole && (!shortest || at < shortest->size())) {
            shortest = tensor.name.substr(0, at);
        }
    }
    return shortest;
}

convention detect_convention(const safetensors_file& file) {
    for (const char* anchor : {"embeddings.cls_token", "embeddings.", "encoder.layer."}) {
        if (auto prefix = prefix_before(file, anchor)) {
            return {convention_kind::hugging_face, std::move(*prefix)};
        }
    }
    for (const char* anchor : {"cls_token", "patch_embed.", "blocks."}) {
        if (auto prefix = prefix_before(file, anchor)) {
            return {convention_kind::timm, std::move(*prefix)};
        }
    }
    reject_weights(file,
                   "it holds no Vision Transformer under names that are understood" +
                       (file.tensors().empty() ? std::string(" (it holds no tensor at all)")
                                               : ", its first tensor is " + printable(file.tensors().front().name)) +
                       "; accepted: timm's names (blocks.0.attn.qkv.weight) or those of Hugging Face "
                       "(vit.encoder.layer.0.attention.attention.query.weight)");
}

/// Dimensions that the shapes in a file imply; absent where they contradict each other.
struct shown_dims {
    std::optional<std::int64_t> dim;
    std::optional<std::int64_t> patch;
    std::optional<std::int64_t> image;
    std::optional<std::int64_t> depth;
};

/// Number of blocks: the highest index in "prefix I ..." plus one.
std::optional<std::int64_t> count_blocks(const safetensors_file& file, const std::string& prefix) {
    std::optional<std::int64_t> depth;
    for (const auto& tensor : file.tensors()) {
        if (!tensor.name.starts_with(prefix)) {
            continue;
        }
        std::int64_t index = -1;
        const char* const end = tensor.name.data() + tensor.name.size();
        const auto parsed = std::from_chars(tensor.name.data() + prefix.size(), end, index);
        if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '.' && index >= 0 && index < 100'000) {
            depth = std::max(depth.value_or(0), index + 1);
        }
    }
    return depth;
}

shown_dims shown_by(const safetensors_file& file, const convention& names) {
    const auto extents = [&](const char* timm_name, std::size_t rank) {
        const auto* tensor = file.find(names.names_of(timm_name).front());
        return tensor != nullptr && tensor->shape.size() == rank ? tensor->shape : std::vector<std::int64_t>();
    };
    shown_dims shown;
    const auto cls = extents("cls_token", 3);
    const auto positions = extents("pos_embed", 3);
    const auto patches = extents("patch_embed.proj.weight", 4);
    if (!cls.empty() && !positions.empty() && !patches.empty() && cls[2] == positions[2] && cls[2] == patches[0]) {
        shown.dim = cls[2];
    }
    if (!patches.empty() && patches[2] == patches[3]) {
        shown.patch = patches[2];
    }
    if (!positions.empty() && positions[1] > 1 && shown.patch) {
        const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(positions[1] - 1))));
        // The bound prevents overflow of the products: a dimension can be anything when the tensor is empty.
        if (side < 100'000 && *shown.patch < 100'000 && side * side == positions[1] - 1) {
            shown.image = side * *shown.patch;
        }
    }
    shown.depth =
        count_blocks(file, names.prefix + (names.naming == convention_kind::timm ? "blocks." : "encoder.layer."));
    return shown;
}

/// Throws when the file is clearly a ViT of another size: a list of a hundred wrong shapes would hide the cause.
void check_size(const safetensors_file& file, const convention& names, const vit& model) {
    const auto& config = model.sizes();
    const auto shown = shown_by(file, names);
    using optional_extent = std::optional<std::int64_t>;
    const auto differs = [](const optional_extent& has, std::int64_t wants) { return has && *has != wants; };
    // Positions are interpolated for images of another size.
    if (!differs(shown.dim, config.dim) && !differs(shown.patch, config.patch) && !differs(shown.depth, config.depth)) {
        return;
    }
    const auto text = [](const optional_extent& value) { return value ? std::to_string(*value) : "unknown"; };
    std::string message = "it holds a ViT of dim " + text(shown.dim) + ", depth " + text(shown.depth) + ", patch " +
                          text(shown.patch) + ", image " + text(shown.image) + ", but model.preset = " + config.preset +
                          " is dim " + std::to_string(config.dim) + ", depth " + std::to_string(config.depth) +
                          ", patch " + std::to_string(config.patch) + ", image " + std::to_string(config.image);
    const auto presets = registry<model_preset>::all();
    const auto fits = std::find_if(presets.begin(), presets.end(), [&](const model_preset* candidate) {
        const std::map<std::string, std::string> sizes(candidate->sizes.begin(), candidate->sizes.end());
        const auto says = [&](const char* key, const std::string& value) {
            const auto found = sizes.find(key);
            return found != sizes.end() && found->second == value;
        };
        return says("model.family", "vit") && says("model.dim", text(shown.dim)) &&
               says("model.depth", text(shown.depth)) && says("model.patch", text(shown.patch)) &&
               says("model.image", text(shown.image));
    });
    if (fits != presets.end()) {
        message += std::string("; model.preset = ") + (*fits)->name + " fits the file";
    } else if (shown.dim && shown.depth && shown.patch && shown.image) {
        message += "; model.preset = custom with model.dim = " + text(shown.dim) +
                   ", model.depth = " + text(shown.depth) + ", model.patch = " + text(shown.patch) +
                   ", model.image = " + text(shown.image) + " and the model.heads it was trained with fits the file";
    }
    reject_weights(file, message);
}

/// Shapes do not show the number of heads, so a number in the checkpoint's metadata is checked.
void check_metadata(const safetensors_file& file, const vit& model, std::vector<std::string>& notes) {
    const auto heads = file.metadata().find("heads");
    if (heads != file.metadata().end() && heads->second != std::to_string(model.shape().heads)) {
        reject_weights(file, "its metadata say heads = " + printable(heads->second) + ", but model.heads is " +
                                 std::to_string(model.shape().heads));
    }
    const auto epsilon = file.metadata().find("ln_eps");
    if (epsilon != file.metadata().end() && std::strtod(epsilon->second.c_str(), nullptr) != model.norm_epsilon()) {
        notes.push_back("weights " + printable(file.path().string()) +
                        ": its metadata say ln_eps = " + printable(epsilon->second) +
                        "; LayerNorm is computed with model.norm_eps, " + fmt::format("{}", model.norm_epsilon()));
    }
}

/// Where the file's positions are those of another square of patches, makes them fit.
std::optional<weight_conversion> resized_positions(const safetensors_file& file, const convention& names,
                                                   const vit& model, std::vector<std::string>& notes) {
    const auto* positions = file.find(names.names_of("pos_embed").front());
    const auto image = shown_by(file, names).image;
    if (positions == nullptr || !image || *image == model.image()) {
        return std::nullopt;
    }
    const auto from = *image / model.patch(), to = model.image() / model.patch(), dim = model.dim();
    if (from == to || positions->shape.back() != dim) {
        return std::nullopt;
    }
    notes.push_back("weights " + printable(file.path().string()) + ": its positions are those of images of " +
                    std::to_string(*image) +
                    " pixels; they are interpolated to model.image = " + std::to_string(model.image()));
    return weight_conversion{positions->shape, [from, to, dim](std::span<const float> in, std::span<float> out) {
                                 const auto cls = static_cast<std::size_t>(dim);
                                 std::copy_n(in.begin(), cls, out.begin());
                                 resize_positions(in.subspan(cls), from, out.subspan(cls), to, dim);
                             }};
}

/// Throws when the file contains an unsupported kind of Vision Transformer: one sentence says more than a hundred
/// unknown names.
void check_kind(const safetensors_file& file) {
    for (const auto& part : foreign_parts) {
        const auto found = std::find_if(file.tensors().begin(), file.tensors().end(), [&](const auto& tensor) {
            const auto at = tensor.name.find(part.name);
            return at != std::string::npos && (at == 0 || tensor.name[at - 1] == '.' || tensor.name[at - 1] == '_');
        });
        if (found != file.tensors().end()) {
            reject_weights(
                file, std::string("it has ") + part.what + ": " + printable(found->name) +
                          ". A Vision Transformer without is accepted, as timm's vit_*_patch16_224 or Hugging Face's "
                          "ViTModel");
        }
    }
}

/// Ignored heads and poolers, with the number of classes if a weight matrix shows it.
using ignored_map = std::map<std::string_view, std::optional<std::int64_t>>;

/// Returns true when the tensor belongs to a head or a pooler; then adds it to `ignored`.
bool ignore_tensor(const safetensors_entry& tensor, std::string_view prefix, ignored_map& ignored) {
    std::string_view name = tensor.name;
    if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
    } else if (const auto outer = prefix.substr(0, prefix.find('.') + 1); name.starts_with(outer)) {
        name.remove_prefix(outer.size()); // "module.head." beside "module.backbone.cls_token"
    }
    for (const auto part : ignored_parts) {
        if (name.starts_with(part)) {
            auto& classes = ignored[part];
            const bool classifies = part == "head." || part == "head_dist." || part == "classifier.";
            if (classifies && name.substr(part.size()) == "weight" && tensor.shape.size() == 2) {
                classes = tensor.shape[0];
            }
            return true;
        }
    }
    return false;
}

void note_ignored(const safetensors_file& file, const ignored_map& ignored, std::vector<std::string>& notes) {
    for (const auto& [part, classes] : ignored) {
        const auto what = printable(part.ends_with('.') ? part.substr(0, part.size() - 1) : part);
        notes.push_back(
            "weights " + printable(file.path().string()) + ": " +
            (classes ? "the classification head " + what + " of " + std::to_string(*classes) + " classes" : what) +
            " is ignored");
    }
}

} // namespace

backbone_match match_vit(const safetensors_file& file, const vit& model) {
    const auto names = detect_convention(file);
    check_kind(file);
    check_size(file, names, model);

    std::vector<std::string> notes;
    if (!names.prefix.empty() && names.prefix != "vit.") {
        notes.push_back("weights " + printable(file.path().string()) + ": its names begin with " +
                        printable(names.prefix) + ", which is left away");
    }
    check_metadata(file, model, notes);
    ignored_map ignored;
    auto match = match_backbone(
        file, model,
        {.parts = [&](const std::string& name) { return names.names_of(name); },
         .conversion =
             [&](const tensor_spec& spec) {
                 return spec.name == "pos_embed" ? resized_positions(file, names, model, notes) : std::nullopt;
             },
         .ignored = [&](const safetensors_entry& tensor) { return ignore_tensor(tensor, names.prefix, ignored); }});
    match.notes.insert(match.notes.begin(), notes.begin(), notes.end());
    note_ignored(file, ignored, match.notes);
    return match;
}

} // namespace gaisnet
