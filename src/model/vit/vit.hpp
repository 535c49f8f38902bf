#pragma once

#include "model/family.hpp"
#include "scenario/model.hpp"

namespace gaisnet {

/// A Vision Transformer (Dosovitskiy et al., ICLR 2021) in timm's conventions: pre-norm, exact GELU, LayerNorm eps
/// 1e-6 unless told otherwise (transformers has 1e-12), qkv bias, MLP ratio 4 unless told otherwise, CLS token. Tensors have timm's names: cls_token [1,1,dim], pos_embed [1,tokens,dim],
/// patch_embed.proj.{weight [dim,3,patch,patch], bias};
/// blocks.I.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,mlp.fc2}.{weight,bias}; norm.{weight,bias}.
class vit final : public foundation_model {
public:
    /// \param sizes image, patch, dim, depth, heads, hidden, norm_eps
    explicit vit(const model_settings& sizes);

    const char* family() const override { return "vit"; }
    const model_settings& sizes() const { return sizes_; }
    std::int64_t image() const { return sizes_.image; }
    std::int64_t patch() const { return sizes_.patch; }
    double norm_epsilon() const { return sizes_.norm_eps > 0 ? sizes_.norm_eps : 1e-6; }
    std::int64_t patches() const { return (image() / patch()) * (image() / patch()); }
    std::int64_t patch_values() const { return 3 * patch() * patch(); }

    std::vector<std::int64_t> sample_shape() const override { return {3, image(), image()}; }
    std::int64_t token_fan_in() const override { return patch_values(); }
    std::vector<tensor_spec> embedding_tensors() const override;
    std::vector<tensor_spec> block_tensors(std::int64_t block) const override;
    std::vector<tensor_spec> norm_tensors() const override;
    double embedding_mac() const override;
    /// By timm's names or those of Hugging Face (see match_vit).
    backbone_match match(const safetensors_file&) const override;

private:
    model_settings sizes_;
};

} // namespace gaisnet
