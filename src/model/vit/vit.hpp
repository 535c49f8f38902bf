#pragma once

#include "model/vit/vit_config.hpp"
#include "scenario/tuning.hpp"

#include <ATen/TensorOperators.h>

#include <functional>
#include <memory>
#include <span>
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

/// A tuning method's additions to a block; an absent one changes nothing.
struct block_hooks {
    at::Tensor prefix_keys, prefix_values; ///< [prefixes, dim], inserted before those of the tokens.
    /// Maps the input of a linear layer to an addition to its output [n, tokens, its width]; undefined: none.
    std::function<at::Tensor(block_linear, const at::Tensor& input)> linear;
    /// Replaces the output of attention (0) or MLP (1) before it is added to the residual stream.
    std::function<at::Tensor(int sublayer, const at::Tensor& output)> sublayer;
};

/// Passes tokens [n, any, dim], with device and type of the weights, through one block; the shape stays the same.
at::Tensor run_block(const vit_config&, const block_weights&, const at::Tensor& tokens, const block_hooks& = {});

/// A block of a backbone, as tuning methods see it.
class frozen_block {
public:
    frozen_block(const vit_config& config, const block_weights& weights, std::int64_t number)
        : vit(config)
        , index(number)
        , weights_(weights) {}
    at::Tensor operator()(const at::Tensor& tokens, const block_hooks& hooks = {}) const {
        return run_block(vit, weights_, tokens, hooks);
    }

    const vit_config& vit;
    std::int64_t index;

private:
    const block_weights& weights_;
};

/// The backbone of a Vision Transformer (Dosovitskiy et al., ICLR 2021): its weights and functions.
struct vit_backbone {
    vit_config config;
    at::Tensor cls_token;                ///< [1, 1, dim]
    at::Tensor pos_embed;                ///< [1, tokens, dim]
    at::Tensor patch_weight, patch_bias; ///< [dim, 3, patch, patch], [dim]
    std::vector<block_weights> blocks;
    at::Tensor norm_weight, norm_bias; ///< [dim], always float32

    /// Device of the weights, and type in which blocks compute: float32 or bfloat16.
    at::Device device() const { return patch_weight.device(); }
    at::ScalarType type() const { return patch_weight.scalar_type(); }

    /// Maps images [n, 3, image, image] of any device and type to tokens [n, tokens, dim]. Their type is converted on
    /// the device.
    at::Tensor embed(const at::Tensor& images) const;
    frozen_block block(std::int64_t index) const { return {config, blocks[static_cast<std::size_t>(index)], index}; }
    /// Applies the final norm to tokens [..., dim], such as CLS, in float32.
    at::Tensor normalise(const at::Tensor& tokens) const;
};

/// \param tensors in the order of block_tensors().
block_weights make_block(std::span<const at::Tensor> tensors);
/// \param tensor returns each weight by timm's name, in the shape of its spec.
vit_backbone make_backbone(const vit_config&, const std::function<at::Tensor(const tensor_spec&)>& tensor);

/// CLS [n, dim] of tokens [n, tokens, dim].
at::Tensor cls_of(const at::Tensor& tokens);

} // namespace gaisnet
