#include "base/registry.hpp"
#include "model/torch/attention.hpp"
#include "model/vit/vit.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/layer_norm.h>
#include <c10/core/GradMode.h>

namespace gaisnet {

namespace {

class vit_forward final : public family_forward {
public:
    explicit vit_forward(const vit& model)
        : patch_(model.patch())
        , rules_{.heads = model.shape().heads, .norm_epsilon = model.norm_epsilon()} {}

    at::Tensor embed(weights_view w, const at::Tensor& images, std::int64_t) const override {
        const auto &cls_token = w[0], &pos_embed = w[1], &patch_weight = w[2], &patch_bias = w[3];
        const auto n = images.size(0);
        const auto values = images.to(patch_weight.device()).to(patch_weight.scalar_type());
        const bool tuned = c10::GradMode::is_enabled() && patch_weight.requires_grad();
        const auto tokens =
            tuned ? at::conv2d(values, patch_weight, patch_bias, /*stride=*/patch_).flatten(2).transpose(1, 2)
                  : affine(patches_of(values), patch_weight.flatten(1), patch_bias);
        return at::cat({cls_token.expand({n, 1, cls_token.size(2)}), tokens}, 1) + pos_embed;
    }

    at::Tensor run_block(weights_view weights, const at::Tensor& tokens, const block_hooks& hooks,
                         const block_context& context) const override {
        return pre_norm_block(weights, tokens, rules_, hooks, context);
    }

    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        return at::layer_norm(tokens.to(at::kFloat), {tokens.size(-1)}, w[0], w[1], rules_.norm_epsilon);
    }

private:
    /// [n, patches, values of one]: the convolution of patches that do not overlap is a product with these. A tuned one
    /// would keep this copy for its gradient.
    at::Tensor patches_of(const at::Tensor& images) const {
        const auto n = images.size(0), down = images.size(2) / patch_, across = images.size(3) / patch_;
        return images.reshape({n, 3, down, patch_, across, patch_})
            .permute({0, 2, 4, 1, 3, 5})
            .reshape({n, down * across, 3 * patch_ * patch_});
    }

    std::int64_t patch_;
    pre_norm_rules rules_;
};

const registration<forward_entry> registered_vit_forward{
    {"vit", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<vit_forward>(dynamic_cast<const vit&>(model));
     }}};

} // namespace

} // namespace gaisnet
