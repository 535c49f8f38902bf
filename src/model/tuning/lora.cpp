#include "base/error.hpp"
#include "model/torch/backbone.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

#include <ATen/ops/linear.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

/// Low-rank adaptation (Hu et al., ICLR 2022): the output of a linear layer grows by alpha / rank x A^T B^T of its input x,
/// with A [rank, in] and B [out, rank].
class lora final : public tuning_method {
public:
    explicit lora(const tuning_settings& settings)
        : rank_(settings.rank)
        , scale_(settings.alpha / static_cast<double>(settings.rank))
        , targets_(settings.targets) {
        std::sort(targets_.begin(), targets_.end());
    }

    block_change change(const foundation_model&, std::int64_t) const override {
        block_change out;
        for (const auto layer : targets_) {
            out.rank[static_cast<std::size_t>(layer)] = rank_;
        }
        return out;
    }

    /// A is random and B is zero, so that training starts from the foundation model.
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        std::vector<tunable_spec> out;
        for (const auto layer : targets_) {
            const auto shape = model.linear(layer);
            const auto name = "blocks." + std::to_string(block) + "." + shape.name + ".lora_";
            const double bound = 1.0 / std::sqrt(static_cast<double>(shape.in));
            out.push_back({{name + "a", {rank_, shape.in}}, {tensor_init::family::uniform, bound}});
            out.push_back({{name + "b", {shape.out, rank_}}, {}});
        }
        return out;
    }

    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        block_hooks hooks;
        hooks.linear = [&](block_linear layer, const at::Tensor& input) {
            const auto found = std::find(targets_.begin(), targets_.end(), layer);
            if (found == targets_.end()) {
                return at::Tensor();
            }
            const auto place = static_cast<std::size_t>(found - targets_.begin());
            const auto a = tunables[2 * place].to(input.scalar_type());
            const auto b = tunables[2 * place + 1].to(input.scalar_type());
            return at::linear(at::linear(input, a), b) * scale_;
        };
        return block(tokens, hooks);
    }

private:
    std::int64_t rank_;
    double scale_;
    std::vector<block_linear> targets_;
};

const registration<tuning_entry> registered_lora{
    {"lora", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         if (scene.tuning.rank < 1 || scene.tuning.targets.empty()) {
             throw usage_error("tuning.rank and tuning.targets: lora needs a rank of at least 1 and one layer or more");
         }
         return std::make_shared<lora>(scene.tuning);
     }}};

} // namespace

} // namespace gaisnet
