#include "model/tuning/block_method.hpp"
#include "model/vit/vit.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

namespace {

/// Tunes only the head.
class head_only final : public block_method {
public:
    block_change change(const vit_config&, std::int64_t) const override { return {}; }
    std::vector<tunable_spec> of_block(const vit_config&, std::int64_t) const override { return {}; }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor>) const override {
        return block(tokens);
    }
};

std::vector<tunable_spec> pretrained(const std::vector<tensor_spec>& tensors) {
    std::vector<tunable_spec> out;
    for (const auto& tensor : tensors) {
        out.push_back({tensor, {tensor_init::family::pretrained, 0.0}});
    }
    return out;
}

/// Tunes the head and all weights of the backbone, under timm's names.
class full final : public tuning_method {
public:
    block_change change(const vit_config&, std::int64_t) const override { return {.weights = true}; }
    std::vector<tunable_spec> of_block(const vit_config& vit, std::int64_t block) const override {
        return pretrained(block_tensors(vit, block));
    }
    std::vector<tunable_spec> of_embedding(const vit_config& vit) const override {
        return pretrained(embedding_tensors(vit));
    }
    std::vector<tunable_spec> of_norm(const vit_config& vit) const override { return pretrained(norm_tensors(vit)); }

    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        std::vector<at::Tensor> weights;
        for (const auto& one : tunables) {
            weights.push_back(one.to(tokens.scalar_type()));
        }
        return run_block(block.vit, make_block(weights), tokens);
    }
    at::Tensor embed(const vit_backbone& backbone, const at::Tensor& images,
                     std::span<const at::Tensor> tunables) const override {
        const auto type = backbone.type();
        vit_backbone own;
        own.config = backbone.config;
        own.cls_token = tunables[0].to(type);
        own.pos_embed = tunables[1].to(type);
        own.patch_weight = tunables[2].to(type);
        own.patch_bias = tunables[3].to(type);
        return own.embed(images);
    }
    at::Tensor normalise(const vit_backbone& backbone, const at::Tensor& cls,
                         std::span<const at::Tensor> tunables) const override {
        vit_backbone own;
        own.config = backbone.config;
        own.norm_weight = tunables[0];
        own.norm_bias = tunables[1];
        return own.normalise(cls);
    }
};

template <typename Method>
std::shared_ptr<const tuning_method> make_whole(const scenario&) {
    return std::make_shared<Method>();
}
const registration<tuning_entry> registered_head{{"head", make_whole<head_only>}};
const registration<tuning_entry> registered_full{{"full", make_whole<full>}};

} // namespace

} // namespace gaisnet
