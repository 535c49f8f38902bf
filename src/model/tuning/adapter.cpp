#include "base/error.hpp"
#include "model/torch/attention.hpp"
#include "model/torch/members.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

#include <cmath>

namespace gaisnet {

namespace {

/// Adapters (Houlsby et al., ICML 2019): y + up(gelu(down(y))) for the output y of attention and of the MLP, with down
/// [bottleneck, dim], up [dim, bottleneck] and their biases.
class adapter final : public tuning_method {
public:
    explicit adapter(std::int64_t width): width_(width) {}

    block_change change(const foundation_model&, std::int64_t) const override { return {.bottleneck = width_}; }

    /// The up projection starts at zero, so that training starts from the foundation model.
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        std::vector<tunable_spec> out;
        const double bound = std::sqrt(6.0 / static_cast<double>(model.dim() + width_));
        for (const auto* sublayer : {"attn", "mlp"}) {
            const auto name = "blocks." + std::to_string(block) + "." + sublayer + ".adapter.";
            out.push_back({{name + "down.weight", {width_, model.dim()}}, {tensor_init::family::uniform, bound}});
            out.push_back({{name + "down.bias", {width_}}, {}});
            out.push_back({{name + "up.weight", {model.dim(), width_}}, {}});
            out.push_back({{name + "up.bias", {model.dim()}}, {}});
        }
        return out;
    }

    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        block_hooks hooks;
        hooks.sublayer = [&](int sublayer, const at::Tensor& output) {
            const auto own = [&](std::size_t index) {
                return tunables[4 * static_cast<std::size_t>(sublayer) + index].to(output.scalar_type());
            };
            const auto down = affine_of_members(output, own(0), own(1));
            return output + affine_of_members(activate(activation::gelu, down), own(2), own(3));
        };
        return block(tokens, hooks);
    }

private:
    std::int64_t width_;
};

const registration<tuning_entry> registered_adapter{
    {"adapter", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         const auto width = scene.tuning.bottleneck;
         if (width < 1) {
             throw usage_error("tuning.bottleneck = " + std::to_string(width) + ": at least 1 is needed");
         }
         return std::make_shared<adapter>(width);
     }}};

} // namespace

} // namespace gaisnet
