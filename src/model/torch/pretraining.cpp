#include "model/torch/pretraining.hpp"

#include "base/random.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

at::Tensor parameter(at::IntArrayRef shape) { return at::zeros(shape).requires_grad_(true); }

/// Passes tokens [n, tokens, dim] through all blocks.
at::Tensor through_blocks(const vit_backbone& backbone, at::Tensor tokens) {
    for (std::int64_t block = 0; block < backbone.config.depth; ++block) {
        tokens = backbone.block(block)(tokens);
    }
    return tokens;
}

class supervised final : public pretraining_objective {
public:
    supervised(const vit_config& vit, std::int64_t classes)
        : weight_(parameter({classes, vit.dim}))
        , bias_(parameter({classes})) {}

    std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
        return {{"head.weight", weight_}, {"head.bias", bias_}};
    }

    result evaluate(const vit_backbone& backbone, const pretraining_batch& batch) const override {
        const auto tokens = through_blocks(backbone, backbone.embed(batch.images));
        const auto logits = at::linear(backbone.normalise(cls_of(tokens)), weight_, bias_);
        return {at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Sum),
                logits.argmax(1).eq(batch.labels).sum().item<std::int64_t>()};
    }

private:
    at::Tensor weight_, bias_;
};

} // namespace

std::unique_ptr<pretraining_objective> make_supervised(const vit_config& vit, std::int64_t classes) {
    return std::make_unique<supervised>(vit, classes);
}

masked_modelling::masked_modelling(const vit_config& vit)
    : mask_token_(parameter({1, 1, vit.dim}))
    , weight_(parameter({3 * vit.patch * vit.patch, vit.dim}))
    , cls_weight_(parameter({3 * vit.patch * vit.patch, vit.dim}))
    , bias_(parameter({3 * vit.patch * vit.patch})) {}

std::vector<std::pair<std::string, at::Tensor>> masked_modelling::parameters() const {
    return {{"mask_token", mask_token_},
            {"decoder.weight", weight_},
            {"decoder.cls_weight", cls_weight_},
            {"decoder.bias", bias_}};
}

at::Tensor masked_modelling::predict(const vit_backbone& backbone, const at::Tensor& images,
                                     const at::Tensor& masked) const {
    const auto embedded = backbone.embed(images);
    const auto patches = embedded.size(1) - 1;
    const auto stand_ins = mask_token_ + backbone.pos_embed.narrow(1, 1, patches);
    const auto seen = at::where(masked.unsqueeze(-1), stand_ins, embedded.narrow(1, 1, patches));
    const auto tokens = backbone.normalise(through_blocks(backbone, at::cat({embedded.narrow(1, 0, 1), seen}, 1)));
    return at::linear(tokens.narrow(1, 1, patches), weight_, bias_) + at::linear(tokens.narrow(1, 0, 1), cls_weight_);
}

pretraining_objective::result masked_modelling::evaluate(const vit_backbone& backbone,
                                                         const pretraining_batch& batch) const {
    const auto error = (predict(backbone, batch.images, batch.masked) - patches_of(batch.images, backbone.config.patch))
                           .abs()
                           .mean(-1); // [n, patches]
    const auto counted = batch.masked.to(at::kFloat);
    return {((error * counted).sum(1) / counted.sum(1)).sum(), 0};
}

at::Tensor patches_of(const at::Tensor& images, std::int64_t patch) {
    const auto n = images.size(0), channels = images.size(1), side = images.size(2) / patch;
    return images.reshape({n, channels, side, patch, side, patch})
        .permute({0, 2, 4, 1, 3, 5})
        .reshape({n, side * side, channels * patch * patch});
}

std::int64_t masked_patches(const vit_config& vit, double ratio) {
    const auto patches = vit.patches();
    return std::clamp<std::int64_t>(std::llround(ratio * static_cast<double>(patches)), 1,
                                    std::max<std::int64_t>(patches - 1, 1));
}

at::Tensor draw_mask(const vit_config& vit, double ratio, std::uint64_t seed, const std::string& image,
                     std::uint32_t epoch) {
    const auto patches = vit.patches(), count = masked_patches(vit, ratio);
    auto mask = at::zeros({patches}, at::kBool);
    const auto order =
        random_stream(seed, "pretrain.mask", image, epoch).permutation(static_cast<std::size_t>(patches));
    for (std::int64_t i = 0; i < count; ++i) {
        mask.data_ptr<bool>()[order[static_cast<std::size_t>(i)]] = true;
    }
    return mask;
}

} // namespace gaisnet
