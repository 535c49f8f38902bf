#include "base/error.hpp"
#include "model/torch/members.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

#include <ATen/ops/cat.h>

#include <cmath>

namespace gaisnet {

namespace {

/// Prompts go behind the leading tokens. \param prompts [members, prompts, dim]
at::Tensor with_prompts(const at::Tensor& tokens, const at::Tensor& prompts, std::int64_t lead) {
    const auto of_each = for_samples(prompts, tokens.size(0)).to(tokens.scalar_type());
    return at::cat({tokens.narrow(1, 0, lead), of_each, tokens.narrow(1, lead, tokens.size(1) - lead)}, 1);
}

/// Visual prompt tuning (Jia et al., ECCV 2022): prompts [prompts, dim] between CLS and the patches. Before the tokens of a
/// text where the model has no CLS (Lester et al., EMNLP 2021), and in a cache like them.
class prompts : public tuning_method {
public:
    explicit prompts(const tuning_settings& settings): count_(settings.prompts) {
        if (count_ < 1) {
            throw usage_error("tuning.prompts = " + std::to_string(count_) + ": at least 1 is needed");
        }
    }

protected:
    std::vector<tunable_spec> prompts_of(const foundation_model& model, std::int64_t block) const {
        // Bound of Xavier's uniform initialisation for a patch, as in the paper's code: 0.0625 for ViT-B/16.
        const double bound = std::sqrt(6.0 / static_cast<double>(model.token_fan_in() + model.dim()));
        return {{{"blocks." + std::to_string(block) + ".prompts", {count_, model.dim()}},
                 {tensor_init::family::uniform, bound}}};
    }

    std::int64_t count_;
};

/// Every block gets prompts of its own, and what it makes of them is dropped: smashed data does not grow.
class prompt_deep final : public prompts {
public:
    using prompts::prompts;

    block_change change(const foundation_model&, std::int64_t) const override {
        return {.prompts = count_, .own_prompts = true};
    }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        return prompts_of(model, block);
    }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        if (block.goes_on()) {
            return block(tokens);
        }
        const auto lead = block.model.leading_tokens();
        const auto out = block(with_prompts(tokens, tunables[0], lead));
        return at::cat({out.narrow(1, 0, lead), out.narrow(1, lead + count_, out.size(1) - lead - count_)}, 1);
    }
};

/// Only the first block gets prompts; they go on from block to block.
class prompt_shallow final : public prompts {
public:
    using prompts::prompts;

    block_change change(const foundation_model&, std::int64_t block) const override {
        return {.prompts = count_, .own_prompts = block == 0};
    }
    std::int64_t carried_tokens() const override { return count_; }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        return block == 0 ? prompts_of(model, block) : std::vector<tunable_spec>();
    }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        return block(block.index == 0 && !block.goes_on()
                         ? with_prompts(tokens, tunables[0], block.model.leading_tokens())
                         : tokens);
    }
};

template <typename Method>
std::shared_ptr<const tuning_method> make_prompts(const scenario& scene) {
    return std::make_shared<Method>(scene.tuning);
}
const registration<tuning_entry> registered_prompt_deep{{"prompt_deep", make_prompts<prompt_deep>}};
const registration<tuning_entry> registered_prompt_shallow{{"prompt_shallow", make_prompts<prompt_shallow>}};

} // namespace

} // namespace gaisnet
