#pragma once

#include "model/files/backbone_match.hpp"
#include "model/vit/vit.hpp"

namespace gaisnet {

/// Finds every tensor of the backbone in the file, by timm's names (`blocks.0.attn.qkv.weight`) or those of Hugging Face
/// (`vit.encoder.layer.0.attention.attention.query.weight`; query, key and value become one qkv), after any prefix that
/// all names share ("module.", "_orig_mod.backbone."). Ignores heads (head, head_dist, fc_norm, classifier), poolers and
/// mask tokens, with a note. Positions of images of another size are interpolated, with a note.
/// \throws usage_error as match_backbone. The message names the parts of an unsupported kind of Vision Transformer (layer
/// scale, register tokens), or the preset that would fit, if the file is clearly a ViT of another size.
backbone_match match_vit(const safetensors_file&, const vit&);

} // namespace gaisnet
