#include "base/registry.hpp"
#include "model/bert/bert.hpp"
#include "model/language/embedding.hpp"
#include "model/torch/attention.hpp"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/zeros_like.h>

namespace gaisnet {

namespace {

class bert_forward final : public family_forward {
public:
    explicit bert_forward(const bert& model)
        : positions_(model.positions())
        , heads_(model.shape().heads)
        , norm_epsilon_(model.norm_epsilon()) {}

    at::Tensor embed(weights_view w, const at::Tensor& samples, std::int64_t first_position) const override {
        check_positions(samples, first_position, positions_);
        const bool kinds_told = samples.dim() == 3;
        const auto numbers = kinds_told ? samples.select(1, 0) : samples;
        const auto kinds = kinds_told ? samples.select(1, 1) : at::zeros_like(samples);
        return norm(rows_of(w[0], numbers) + rows_of(w[2], kinds) + w[1].narrow(0, first_position, numbers.size(-1)),
                    w[3], w[4]);
    }

    at::Tensor run_block(weights_view w, const at::Tensor& tokens, const block_hooks& hooks,
                         const block_context& context) const override {
        const auto attention = [&] {
            const auto part = [&](std::size_t first, block_linear which) {
                return of_heads(affine(tokens, w[first], w[first + 1], hooks, which), heads_);
            };
            const auto query = part(0, block_linear::query), key = part(2, block_linear::key),
                       value = part(4, block_linear::value);
            const auto mixed = attend(query, key, value, /*causal=*/false, hooks, context);
            return affine(mixed, w[6], w[7], hooks, block_linear::projection);
        };
        const auto attended = norm(tokens + changed(hooks, 0, attention()), w[8], w[9]);
        const auto hidden = activate(activation::gelu, affine(attended, w[10], w[11], hooks, block_linear::fc1));
        return norm(attended + changed(hooks, 1, affine(hidden, w[12], w[13], hooks, block_linear::fc2)), w[14], w[15]);
    }

    /// The pooler. Each row has a product of its own (see affine).
    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        const auto rows = tokens.to(at::kFloat).reshape({-1, 1, tokens.size(-1)});
        return activate(activation::tanh, affine(rows, w[0], w[1])).reshape(tokens.sizes());
    }

private:
    at::Tensor norm(const at::Tensor& tokens, const at::Tensor& weight, const at::Tensor& bias) const {
        return at::layer_norm(tokens, {tokens.size(-1)}, weight, bias, norm_epsilon_);
    }

    std::int64_t positions_, heads_;
    double norm_epsilon_;
};

const registration<forward_entry> registered_bert_forward{
    {"bert", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<bert_forward>(dynamic_cast<const bert&>(model));
     }}};

} // namespace

} // namespace gaisnet
