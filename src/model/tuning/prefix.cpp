#include "base/error.hpp"
#include "model/torch/backbone.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

namespace {

/// Prefix tuning (Li and Liang, ACL 2021): the attention of every block gets keys and values [prompts, kv_dim] of its own. They
/// have no positions.
class prefix final : public tuning_method {
public:
    explicit prefix(std::int64_t count): count_(count) {}

    block_change change(const foundation_model&, std::int64_t) const override { return {.prefix = count_}; }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        const auto name = "blocks." + std::to_string(block) + ".attn.prefix_";
        const tensor_init init{tensor_init::family::normal, 0.02};
        const auto width = model.shape().kv_dim();
        return {{{name + "keys", {count_, width}}, init}, {{name + "values", {count_, width}}, init}};
    }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        block_hooks hooks;
        hooks.prefix_keys = tunables[0];
        hooks.prefix_values = tunables[1];
        return block(tokens, hooks);
    }

private:
    std::int64_t count_;
};

const registration<tuning_entry> registered_prefix{
    {"prefix", [](const scenario& scene) -> std::shared_ptr<const tuning_method> {
         const auto count = scene.tuning.prompts;
         if (count < 1) {
             throw usage_error("tuning.prompts = " + std::to_string(count) + ": at least 1 is needed");
         }
         return std::make_shared<prefix>(count);
     }}};

} // namespace

} // namespace gaisnet
