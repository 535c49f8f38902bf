#pragma once

#include "model/files/safetensors.hpp"
#include "model/vit/vit_config.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// The two naming conventions for Vision Transformer checkpoints that are understood.
enum class weight_naming { timm, hugging_face };

/// Where one backbone tensor comes from.
struct backbone_source {
    tensor_spec spec;               ///< Our name (timm's) and shape.
    std::vector<std::string> parts; ///< Tensors of the file; concatenated along the first axis they give `spec`.
};

/// How the tensors of a checkpoint make up the backbone of a vit_config.
struct backbone_match {
    weight_naming naming = weight_naming::timm;
    std::vector<backbone_source> tensors; ///< In the order of backbone_tensors(config).
    std::vector<std::string> notes;       ///< What the user should be told: an ignored head, an ignored pooler.
};

/// Finds every tensor of backbone_tensors(config) in the file, under timm's names (`blocks.0.attn.qkv.weight`) or those
/// of Hugging Face (`vit.encoder.layer.0.attention.attention.query.weight`; query, key and value become one qkv), behind
/// whatever prefix wrappers gave them all ("module.", "_orig_mod.backbone."). Heads (head, head_dist, fc_norm,
/// classifier), poolers, mask tokens and integer scalars (counters) are ignored; the notes say so.
/// Reads no tensor. Throws usage_error: naming what a Vision Transformer of another kind has (layer scale, register
/// tokens); or the preset that would fit, when the file plainly holds a ViT of another size; else with all of: missing
/// tensors, wrong shapes, dtypes that are not F32, F16 or BF16, unknown tensors with the nearest known name.
backbone_match match_backbone(const safetensors_file& file, const vit_config& config);

/// Converts one backbone tensor to float32 into `out` (spec.elements() values). Throws usage_error when a value is
/// infinite or not a number.
void read_backbone_tensor(const safetensors_file& file, const backbone_source& source, std::span<float> out);

/// match_backbone and read_backbone_tensor for the whole backbone: values by timm's name.
std::map<std::string, std::vector<float>> read_backbone(const safetensors_file& file, const vit_config& config);

} // namespace gaisnet
