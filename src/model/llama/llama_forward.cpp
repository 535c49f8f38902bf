#include "base/registry.hpp"
#include "model/language/embedding.hpp"
#include "model/llama/llama.hpp"
#include "model/llama/rotary.hpp"
#include "model/torch/attention.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

/// x / sqrt(mean(x^2) + eps) w, in float32 (Zhang and Sennrich, NeurIPS 2019).
at::Tensor rms_norm(const at::Tensor& input, const at::Tensor& weight, double epsilon) {
    const auto exact = input.to(at::kFloat);
    const auto normal = exact * at::rsqrt(exact.pow(2).mean(-1, /*keepdim=*/true) + epsilon);
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
            const auto hidden = at::silu(affine(normal, *w.gate, w.none, hooks, block_linear::gate)) *
                                affine(normal, *w.up, w.none, hooks, block_linear::fc1);
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

at::Tensor rotary_positions::turn(const at::Tensor& tokens, std::int64_t first) const {
    const auto length = tokens.size(2), half = width_ / 2;
    const auto all = positions(first + length, tokens);
    const auto cosines = all.cosines.narrow(0, first, length), sines = all.sines.narrow(0, first, length);
    const auto quarter_turn = at::cat({-tokens.narrow(3, half, half), tokens.narrow(3, 0, half)}, 3);
    return tokens * cosines + quarter_turn * sines;
}

rotary_positions::table rotary_positions::positions(std::int64_t count, const at::Tensor& like) const {
    const std::lock_guard lock(guard_);
    const bool fits = known_.cosines.defined() && known_.cosines.size(0) >= count &&
                      known_.cosines.device() == like.device() && known_.cosines.scalar_type() == like.scalar_type();
    if (!fits) {
        constexpr std::int64_t step = 64; // so that texts that grow by a token do not make it anew for each
        const auto rows = (count + step - 1) / step * step, half = width_ / 2;
        auto cosines = at::empty({rows, width_}, at::kFloat), sines = at::empty({rows, width_}, at::kFloat);
        auto* cosine = cosines.data_ptr<float>();
        auto* sine = sines.data_ptr<float>();
        for (std::int64_t i = 0; i < half; ++i) {
            const auto exponent = static_cast<double>(2 * i) / static_cast<double>(width_);
            const auto frequency = static_cast<float>(std::pow(theta_, -exponent));
            for (std::int64_t position = 0; position < rows; ++position) {
                const float angle = static_cast<float>(position) * frequency;
                for (const auto place : {position * width_ + i, position * width_ + i + half}) {
                    cosine[place] = static_cast<float>(std::cos(static_cast<double>(angle)));
                    sine[place] = static_cast<float>(std::sin(static_cast<double>(angle)));
                }
            }
        }
        known_ = {cosines.to(like.options()), sines.to(like.options())};
    }
    return known_;
}

} // namespace gaisnet
