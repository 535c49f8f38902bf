#include "base/registry.hpp"
#include "model/language/embedding.hpp"
#include "model/llama/llama.hpp"
#include "model/llama/rotary.hpp"
#include "model/torch/attention.hpp"

#include <ATen/ops/rsqrt.h>

namespace gaisnet {

namespace {

/// x / sqrt(mean(x^2) + eps) w, in float32 (Zhang and Sennrich, NeurIPS 2019). The mean is a sum, because autograd would
/// keep the squares for a mean.
at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
    const auto exact = input.to(at::kFloat);
    const auto squares = exact.pow(2).sum(-1, /*keepdim=*/true);
    const auto normal = exact * at::rsqrt(squares * (1.0 / static_cast<double>(input.size(-1))) + epsilon);
    return normal.to(input.scalar_type()) * weight;
}

/// The weights of a block, in the order of llama::block_tensors().
struct llama_weights {
    llama_weights(weights_view all, bool with_bias) {
        std::size_t next = 0;
        const auto take = [&] { return &all[next++]; };
        const auto take_linear = [&](const at::Tensor*& weight, const at::Tensor*& bias) {
            weight = take();
            bias = with_bias ? take() : &none;
        };
        norm1 = take();
        take_linear(query, query_bias);
        take_linear(key, key_bias);
        take_linear(value, value_bias);
        projection = take();
        norm2 = take();
        gate = take();
        up = take();
        down = take();
    }
    llama_weights(const llama_weights&) = delete;
    llama_weights& operator=(const llama_weights&) = delete;

    at::Tensor none; ///< No bias.
    const at::Tensor *norm1, *query, *query_bias, *key, *key_bias, *value, *value_bias, *projection, *norm2, *gate, *up,
        *down;
};

class llama_forward final : public family_forward {
public:
    explicit llama_forward(const llama& model)
        : model_(model)
        , rotary_(model.dim() / model.shape().heads, model.sizes().rope_theta) {}

    at::Tensor embed(weights_view w, const at::Tensor& ids, std::int64_t first_position) const override {
        check_positions(ids, first_position, model_.positions());
        return rows_of(w[0], ids);
    }

    at::Tensor run_block(weights_view weights, const at::Tensor& tokens, const block_hooks& hooks,
                         const block_context& context) const override {
        const llama_weights w(weights, model_.sizes().qkv_bias);
        const auto& shape = model_.shape();
        const auto kv_heads = shape.kv_heads > 0 ? shape.kv_heads : shape.heads;
        const auto attention = [&] {
            const auto normal = rms_norm(tokens, *w.norm1, model_.norm_epsilon());
            const auto part = [&](const at::Tensor& weight, const at::Tensor& bias, block_linear which,
                                  std::int64_t heads) {
                return of_heads(affine(normal, weight, bias, hooks, which), heads);
            };
            const auto first = context.past();
            const auto query = rotary_.turn(part(*w.query, *w.query_bias, block_linear::query, shape.heads), first);
            const auto key = rotary_.turn(part(*w.key, *w.key_bias, block_linear::key, kv_heads), first);
            const auto value = part(*w.value, *w.value_bias, block_linear::value, kv_heads);
            const auto mixed = attend(query, key, value, /*causal=*/true, hooks, context);
            return affine(mixed, *w.projection, w.none, hooks, block_linear::projection);
        };
        const auto attended = tokens + changed(hooks, 0, attention());
        const auto mlp = [&] {
            const auto normal = rms_norm(attended, *w.norm2, model_.norm_epsilon());
            const auto opened = activate(activation::silu, affine(normal, *w.gate, w.none, hooks, block_linear::gate));
            const auto hidden = opened * affine(normal, *w.up, w.none, hooks, block_linear::fc1);
            return affine(hidden, *w.down, w.none, hooks, block_linear::fc2);
        };
        return attended + changed(hooks, 1, mlp());
    }

    at::Tensor normalise(weights_view w, const at::Tensor& tokens) const override {
        return rms_norm(tokens.to(at::kFloat), w[0], model_.norm_epsilon());
    }

    at::Tensor pool(const at::Tensor& tokens, const at::Tensor& padding) const override {
        return last_tokens(tokens, padding);
    }

private:
    llama model_;
    rotary_positions rotary_;
};

const registration<forward_entry> registered_llama_forward{
    {"llama", [](const foundation_model& model) -> std::shared_ptr<const family_forward> {
         return std::make_shared<llama_forward>(dynamic_cast<const llama&>(model));
     }}};

} // namespace

} // namespace gaisnet
