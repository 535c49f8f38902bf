#include "model/vit/vit_config.hpp"

namespace gaisnet {

std::vector<tensor_spec> embedding_tensors(const vit_config& vit) {
    return {{"cls_token", {1, 1, vit.dim}},
            {"pos_embed", {1, vit.tokens(), vit.dim}},
            {"patch_embed.proj.weight", {vit.dim, 3, vit.patch, vit.patch}},
            {"patch_embed.proj.bias", {vit.dim}}};
}

std::vector<tensor_spec> block_tensors(const vit_config& vit, std::int64_t block) {
    const std::string prefix = "blocks." + std::to_string(block) + ".";
    const auto hidden = vit.mlp_ratio * vit.dim;
    return {{prefix + "norm1.weight", {vit.dim}},
            {prefix + "norm1.bias", {vit.dim}},
            {prefix + "attn.qkv.weight", {3 * vit.dim, vit.dim}},
            {prefix + "attn.qkv.bias", {3 * vit.dim}},
            {prefix + "attn.proj.weight", {vit.dim, vit.dim}},
            {prefix + "attn.proj.bias", {vit.dim}},
            {prefix + "norm2.weight", {vit.dim}},
            {prefix + "norm2.bias", {vit.dim}},
            {prefix + "mlp.fc1.weight", {hidden, vit.dim}},
            {prefix + "mlp.fc1.bias", {hidden}},
            {prefix + "mlp.fc2.weight", {vit.dim, hidden}},
            {prefix + "mlp.fc2.bias", {vit.dim}}};
}

std::vector<tensor_spec> norm_tensors(const vit_config& vit) {
    return {{"norm.weight", {vit.dim}}, {"norm.bias", {vit.dim}}};
}

std::vector<tensor_spec> backbone_tensors(const vit_config& vit) {
    auto all = embedding_tensors(vit);
    for (std::int64_t block = 0; block < vit.depth; ++block) {
        for (auto& spec : block_tensors(vit, block)) {
            all.push_back(std::move(spec));
        }
    }
    for (auto& spec : norm_tensors(vit)) {
        all.push_back(std::move(spec));
    }
    return all;
}

} // namespace gaisnet
