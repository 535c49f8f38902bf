#include "base/error.hpp"
#include "model/low_rank.hpp"
#include "model/torch/members.hpp"
#include "model/tuning_method.hpp"
#include "network/population.hpp"
#include "scenario/scenario.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

/// Low-rank adaptation (Hu et al., ICLR 2022): the output of a linear layer grows by alpha / rank x A^T B^T of its input x,
/// with A [rank, in] and B [out, rank]. A client of a smaller rank has the first rows of A and columns of B, with the
/// scale of the largest rank, so that the same numbers are the same change everywhere.
class lora final : public tuning_method {
public:
    lora(const tuning_settings& settings, std::int64_t largest_rank)
        : rank_(largest_rank)
        , scale_(settings.alpha / static_cast<double>(largest_rank))
        , average_(settings.average)
        , targets_(settings.targets) {
        std::sort(targets_.begin(), targets_.end());
    }

    std::shared_ptr<const tuning_method> of_size(std::int64_t rank) const override {
        if (rank >= rank_) {
            return nullptr;
        }
        auto smaller = std::make_shared<lora>(*this);
        smaller->rank_ = rank;
        return smaller;
    }

    /// pad: as HetLoRA (Cho et al., EMNLP 2024) without its pruning and with weights by samples; truncate: RBLA (Chen et
    /// al., 2024); product: see product_average.
    std::vector<average_rule> averages(const foundation_model& model, std::int64_t) const override {
        std::vector<average_rule> rules;
        for (const auto layer : targets_of(model)) {
            const auto shape = model.linear(layer);
            if (average_ == rank_average::product) {
                rules.push_back({2, 0, false, std::make_shared<product_average>(shape.out, shape.in, rank_)});
                continue;
            }
            const bool by_slice = average_ == rank_average::truncate;
            rules.push_back({1, 0, by_slice, nullptr});
            rules.push_back({1, 1, by_slice, nullptr});
        }
        return rules;
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
            return affine_of_members(affine_of_members(input, a, {}), b, {}) * scale_;
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
    rank_average average_;
    std::vector<block_linear> targets_; ///< Empty: all.
};

const registration<tuning_entry> registered_lora{
    {"lora", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         if (scene.tuning.rank.values.lowest() < 1.0) {
             throw usage_error("tuning.rank = " + scene.tuning.rank.text() + ": at least 1 is needed");
         }
         return std::make_shared<lora>(scene.tuning, largest_tuning_size(scene));
     }}};

} // namespace

} // namespace gaisnet
