#include "base/registry.hpp"
#include "model/gpt2/gpt2.hpp"
#include "model/language/embedding.hpp"
#include "model/torch/attention.hpp"

#include <ATen/ops/layer_norm.h>

namespace gaisnet {

namespace {

class gpt2_forward final : public family_forward {
public:
    explicit gpt2_forward(const gpt2& model)
        : positions_(model.positions())
        , rules_{.heads = model.shape().heads,
                 .norm_epsilon = model.norm_epsilon(),
                 .causal = true,
                 .mlp = activation::gelu_by_tanh} {}

    at::Tensor embed(weights_view w, const at::Tensor& ids, std::int64_t first_position) const override {
        check_positions(ids, first_position, positions_);
        return rows_of(w[0], ids) + w[1].narrow(0, first_position, ids.size(-1));
    }

    at::Tensor run_block(weights_view weights, const at::Tensor& tokens, const block_hooks& hooks,
                         const block_context& context) const override {
        return pre_norm_block(weights, tokens, rules_, hooks, context);
    }

    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        return at::layer_norm(tokens.to(at::kFloat), {tokens.size(-1)}, w[0], w[1], rules_.norm_epsilon);
    }

    at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding) const override {
        return last_tokens(tokens, padding);
    }

private:
    std::int64_t positions_;
    pre_norm_rules rules_;
};

const registration<forward_entry> registered_gpt2_forward{
    {"gpt2", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<gpt2_forward>(dynamic_cast<const gpt2&>(model));
     }}};

} // namespace

} // namespace gaisnet
