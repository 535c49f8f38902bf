#include "model/vit/masked_modelling.hpp"

#include "base/random.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

at::Tensor zero_parameter(at::IntArrayRef shape) { return at::zeros(shape).requires_grad_(true); }

} // namespace

masked_modelling::masked_modelling(const vit& model, double ratio, std::uint64_t seed)
    : mask_token_(zero_parameter({1, 1, model.dim()}))
    , weight_(zero_parameter({model.patch_values(), model.dim()}))
    , cls_weight_(zero_parameter({model.patch_values(), model.dim()}))
    , bias_(zero_parameter({model.patch_values()}))
    , model_(model)
    , ratio_(ratio)
    , seed_(seed) {}

std::string masked_modelling::description() const {
    return fmt::format("{} of {} patches masked", masked_patches(model_, ratio_), model_.patches());
}

std::string masked_modelling::said(double loss, double) const {
    return fmt::format("mean absolute error of masked pixels, in units of data.std, {:.4f}", loss);
}

void masked_modelling::draw(pretraining_batch& batch, const std::vector<std::string>& names,
                            std::uint32_t epoch) const {
    std::vector<at::Tensor> masks;
    for (const auto& name : names) {
        masks.push_back(draw_mask(model_, ratio_, seed_, name, epoch));
    }
    batch.masked = at::stack(masks);
}

std::vector<std::pair<std::string, at::Tensor>> masked_modelling::parameters() const {
    return {{"mask_token", mask_token_},
            {"decoder.weight", weight_},
            {"decoder.cls_weight", cls_weight_},
            {"decoder.bias", bias_}};
}

at::Tensor masked_modelling::predict(const model_backbone& backbone, const at::Tensor& images,
                                     const at::Tensor& masked) const {
    const auto embedded = backbone.embed(images);
    const auto patches = embedded.size(1) - 1;
    const auto& positions = backbone.embedding.at(1); // vit::embedding_tensors()
    const auto stand_ins = mask_token_ + positions.narrow(1, 1, patches);
    const auto seen = at::where(masked.unsqueeze(-1), stand_ins, embedded.narrow(1, 1, patches));
    const auto tokens = backbone.normalise(backbone.run_blocks(at::cat({embedded.narrow(1, 0, 1), seen}, 1)));
    return at::linear(tokens.narrow(1, 1, patches), weight_, bias_) + at::linear(tokens.narrow(1, 0, 1), cls_weight_);
}

pretraining_objective::result masked_modelling::evaluate(const model_backbone& backbone,
                                                         const pretraining_batch& batch) const {
    const auto error = (predict(backbone, batch.inputs, batch.masked) - patches_of(batch.inputs, model_.patch()))
                           .abs()
                           .mean(-1); // [n, patches]
    const auto counted = batch.masked.to(at::kFloat);
    return {((error * counted).sum(1) / counted.sum(1)).sum()};
}

at::Tensor patches_of(const at::Tensor& images, std::int64_t patch) {
    const auto n = images.size(0), channels = images.size(1), side = images.size(2) / patch;
    return images.reshape({n, channels, side, patch, side, patch})
        .permute({0, 2, 4, 1, 3, 5})
        .reshape({n, side * side, channels * patch * patch});
}

std::int64_t masked_patches(const vit& model, double ratio) {
    const auto patches = model.patches();
    return std::clamp<std::int64_t>(std::llround(ratio * static_cast<double>(patches)), 1,
                                    std::max<std::int64_t>(patches - 1, 1));
}

at::Tensor draw_mask(const vit& model, double ratio, std::uint64_t seed, const std::string& image,
                     std::uint32_t epoch) {
    const auto patches = model.patches(), count = masked_patches(model, ratio);
    auto mask = at::zeros({patches}, at::kBool);
    const auto order =
        random_stream(seed, "pretrain.mask", image, epoch).permutation(static_cast<std::size_t>(patches));
    for (std::int64_t i = 0; i < count; ++i) {
        mask.data_ptr<bool>()[order[static_cast<std::size_t>(i)]] = true;
    }
    return mask;
}

} // namespace gaisnet
