#pragma once

#include "model/files/safetensors.hpp"
#include "model/vit/vit_config.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// The supported naming conventions for Vision Transformer checkpoints.
enum class weight_naming { timm, hugging_face };

/// The source of one backbone tensor.
struct backbone_source {
    tensor_spec spec;               ///< Name (timm's) and shape.
    std::vector<std::string> parts; ///< Tensors in the file; concatenated along the first axis they are the tensor.
};

/// Maps the tensors of a checkpoint to the backbone of a vit_config.
struct backbone_match {
    weight_naming naming = weight_naming::timm;
    std::vector<backbone_source> tensors; ///< In the order of backbone_tensors(config).
    std::vector<std::string> notes;       ///< Messages for the user: an ignored head, an ignored pooler.
};

/// Finds every tensor of backbone_tensors(config) in the file, by timm's names (`blocks.0.attn.qkv.weight`) or those of
/// Hugging Face (`vit.encoder.layer.0.attention.attention.query.weight`; query, key and value become one qkv), after
/// any prefix that all names share ("module.", "_orig_mod.backbone."). Ignores heads (head, head_dist, fc_norm,
/// classifier), poolers, mask tokens and integer scalars (counters), with a note. Reads no tensor. Throws usage_error.
/// The message names either the parts of an unsupported kind of Vision Transformer (layer scale, register tokens); or
/// the preset that would fit, if the file is clearly a ViT of another size; or all missing tensors, wrong shapes,
/// dtypes other than F32, F16 and BF16, and unknown tensors with the nearest known name.
backbone_match match_backbone(const safetensors_file& file, const vit_config& config);

/// Converts one backbone tensor to float32 in `out` (spec.elements() values). Throws usage_error when a value is
/// infinite or NaN.
void read_backbone_tensor(const safetensors_file& file, const backbone_source& source, std::span<float> out);

/// Applies match_backbone and read_backbone_tensor to the whole backbone: values by timm's name.
std::map<std::string, std::vector<float>> read_backbone(const safetensors_file& file, const vit_config& config);

} // namespace gaisnet
