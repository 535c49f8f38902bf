#include "model/tuning/prompt_deep.hpp"

#include "base/error.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace gaisnet {

namespace {

class prompt_deep final : public tuning_method {
public:
    explicit prompt_deep(std::int64_t prompts): prompts_(prompts) {}

    std::string_view name() const override { return "prompt_deep"; }

    std::vector<tunable_spec> tunables(const vit_config& vit, std::int64_t block) const override {
        // Bound of Xavier's uniform initialisation over a patch, as in the paper's code: 0.0625 for ViT-B/16.
        const double bound = std::sqrt(6.0 / static_cast<double>(3 * vit.patch * vit.patch + vit.dim));
        return {{{"blocks." + std::to_string(block) + ".prompts", {prompts_, vit.dim}},
                 {tensor_init::family::uniform, bound}}};
    }

    std::int64_t extra_tokens(std::int64_t) const override { return prompts_; }

    at::Tensor forward(const vit_config& vit, std::int64_t, const at::Tensor& tokens,
                       const std::vector<at::Tensor>& tunables, const block_function& frozen) const override {
        const auto n = tokens.size(0);
        const auto prompts = tunables.at(0).unsqueeze(0).expand({n, prompts_, vit.dim}).to(tokens.scalar_type());
        const auto out = frozen(at::cat({tokens.narrow(1, 0, 1), prompts, tokens.narrow(1, 1, tokens.size(1) - 1)}, 1));
        const auto rest = out.size(1) - 1 - prompts_;
        return at::cat({out.narrow(1, 0, 1), out.narrow(1, 1 + prompts_, rest)}, 1);
    }

private:
    std::int64_t prompts_;
};

} // namespace

std::shared_ptr<const tuning_method> make_prompt_deep(const tuning_settings& settings) {
    if (settings.prompts < 1) {
        throw usage_error("tuning.prompts = " + std::to_string(settings.prompts) + ": at least 1 is needed");
    }
    return std::make_shared<prompt_deep>(settings.prompts);
}

} // namespace gaisnet
