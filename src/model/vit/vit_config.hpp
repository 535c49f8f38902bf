#pragma once

#include "scenario/model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// Name (timm's) and shape of one weight tensor.
struct tensor_spec {
    std::string name;
    std::vector<std::int64_t> shape;
    std::int64_t elements() const {
        std::int64_t n = 1;
        for (auto extent : shape) {
            n *= extent;
        }
        return n;
    }
};

/// The tensors of the parts of a backbone, by timm's names: cls_token [1,1,dim], pos_embed [1,tokens,dim],
/// patch_embed.proj.{weight [dim,3,patch,patch], bias};
/// blocks.I.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,mlp.fc2}.{weight,bias}; norm.{weight,bias}.
std::vector<tensor_spec> embedding_tensors(const vit_config&);
std::vector<tensor_spec> block_tensors(const vit_config&, std::int64_t block);
std::vector<tensor_spec> norm_tensors(const vit_config&);
/// All tensors: embedding, every block, final norm. The classification head is not part of the backbone.
std::vector<tensor_spec> backbone_tensors(const vit_config&);

} // namespace gaisnet
