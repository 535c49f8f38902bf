#pragma once

#include "model/vit_config.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// Weights of one Transformer block, timm's layout.
struct block_weights {
    at::Tensor norm1_weight, norm1_bias; ///< [dim]
    at::Tensor qkv_weight, qkv_bias;     ///< [3 dim, dim], [3 dim]
    at::Tensor proj_weight, proj_bias;   ///< [dim, dim], [dim]
    at::Tensor norm2_weight, norm2_bias; ///< [dim]
    at::Tensor fc1_weight, fc1_bias;     ///< [mlp dim, dim], [mlp dim]
    at::Tensor fc2_weight, fc2_bias;     ///< [dim, mlp dim], [dim]
};

/// A Vision Transformer's backbone (Dosovitskiy et al., ICLR 2021) as functions over its weights.
struct vit_backbone {
    vit_config config;
    at::Tensor cls_token;                ///< [1, 1, dim]
    at::Tensor pos_embed;                ///< [1, tokens, dim]
    at::Tensor patch_weight, patch_bias; ///< [dim, 3, patch, patch], [dim]
    std::vector<block_weights> blocks;
    at::Tensor norm_weight, norm_bias; ///< [dim], always float32

    /// Where the weights are, and in which type blocks compute: float32, or bfloat16.
    at::Device device() const { return patch_weight.device(); }
    at::ScalarType type() const { return patch_weight.scalar_type(); }

    /// Images [n, 3, image, image] of any device and type to tokens [n, tokens, dim].
    at::Tensor embed(const at::Tensor& images) const;
    /// Tokens [n, any, dim] of the blocks' device and type through one block; same shape.
    at::Tensor block(std::int64_t index, const at::Tensor& tokens) const;
    /// The final norm of CLS [n, dim], in float32.
    at::Tensor normalise(const at::Tensor& cls) const;
};

/// \param tensor gives each weight by timm's name, in the shape of its spec.
vit_backbone make_backbone(const vit_config&, const std::function<at::Tensor(const tensor_spec&)>& tensor);

/// CLS [n, dim] of tokens [n, tokens, dim].
at::Tensor cls_of(const at::Tensor& tokens);

} // namespace gaisnet
