#include "base/error.hpp"
#include "model/torch/attention.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

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

    block_change change(const foundation_model& model, std::int64_t) const override {
        block_change out;
        for (const auto layer : targets_of(model)) {
            out.rank[static_cast<std::size_t>(layer)] = rank_;
        }
        return out;
    }

    /// A is random and B is zero, so that training starts from the foundation model.
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        std::vector<tunable_spec> out;
        for (const auto layer : targets_of(model)) {
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
        const auto targets = targets_of(block.model);
        hooks.linear = [&](block_linear layer, const at::Tensor& input) {
            const auto found = std::find(targets.begin(), targets.end(), layer);
            if (found == targets.end()) {
                return at::Tensor();
            }
            const auto place = static_cast<std::size_t>(found - targets.begin());
            const auto a = tunables[2 * place].to(input.scalar_type());
            const auto b = tunables[2 * place + 1].to(input.scalar_type());
            return affine(affine(input, a, {}), b, {}) * scale_;
        };
        return block(tokens, hooks);
    }

private:
    /// \throws usage_error for a layer that the model lacks
    std::vector<block_linear> targets_of(const foundation_model& model) const {
        std::vector<block_linear> those_it_has;
        std::string names;
        for (const auto& [name, layer] : block_linear_words) {
            if (model.has(layer)) {
                those_it_has.push_back(layer);
                names += std::string(names.empty() ? "" : ", ") + name;
            }
        }
        for (const auto layer : targets_) {
            if (!model.has(layer)) {
                throw usage_error(std::string("tuning.targets: a block of model.family = ") + model.family() +
                                  " has no " + name_in(block_linear_words, layer) + "; some of " + names +
                                  " are accepted");
            }
        }
        return targets_.empty() ? those_it_has : targets_;
    }

    std::int64_t rank_;
    double scale_;
    std::vector<block_linear> targets_; ///< Empty: all.
};

const registration<tuning_entry> registered_lora{
    {"lora", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         if (scene.tuning.rank < 1) {
             throw usage_error("tuning.rank = " + std::to_string(scene.tuning.rank) + ": at least 1 is needed");
         }
         return std::make_shared<lora>(scene.tuning);
     }}};

} // namespace

} // namespace gaisnet
