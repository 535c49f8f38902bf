// What LibTorch 1.13 has no kernel for. Fused steps of optimisers are for GPUs, on which this version does not compute.

#include "model/torch/torch_support.hpp"

#include <ATen/ops/_softmax.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

// Of the BLAS that this LibTorch computes with. Its own products of many small matrices come to this function too, but
// spend several times as long on each before they call it.
extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc);

namespace gaisnet {

namespace {

/// A matrix for each sample and head: float32 [n, heads, rows, columns] of which rows or columns lie together.
struct matrices {
    const float* data;
    std::int64_t of_sample, of_head, rows, columns;
    int leading;     ///< Distance of rows or, if it is transposed, of columns.
    bool transposed; ///< Columns lie together.

    explicit matrices(const at::Tensor& all)
        : data(all.data_ptr<float>())
        , of_sample(all.stride(0))
        , of_head(all.stride(1))
        , rows(all.size(2))
        , columns(all.size(3))
        , leading(static_cast<int>(all.stride(all.stride(3) == 1 ? 2 : 3)))
        , transposed(all.stride(3) != 1) {}
};

/// out = scale x a b + before x out for each sample and head. \param out of which rows lie together
void multiply(const at::Tensor& a, const at::Tensor& b, double scale, const at::Tensor& out, float before = 0.0F) {
    const matrices left(a), right(b), product(out);
    const auto m = static_cast<int>(product.columns), n = static_cast<int>(product.rows),
               k = static_cast<int>(left.columns);
    const auto alpha = static_cast<float>(scale);
    const char *of_left = left.transposed ? "T" : "N", *of_right = right.transposed ? "T" : "N";
    for (std::int64_t sample = 0; sample < out.size(0); ++sample) {
        for (std::int64_t head = 0; head < out.size(1); ++head) {
            const auto at = [&](const matrices& all) { return all.data + sample * all.of_sample + head * all.of_head; };
            // BLAS counts by columns: it sees the transposed matrices, and computes b' a'.
            sgemm_(of_right, of_left, &m, &n, &k, &alpha, at(right), &right.leading, at(left), &left.leading, &before,
                   const_cast<float*>(at(product)), &product.leading);
        }
    }
}

/// The same matrices, of which rows or columns lie together.
at::Tensor readable(const at::Tensor& all) { return all.stride(3) == 1 || all.stride(2) == 1 ? all : all.contiguous(); }

/// [n, heads, rows, columns], in which the heads of a row lie together: as tokens want them.
at::Tensor by_rows(const at::Tensor& like, std::int64_t rows, std::int64_t columns) {
    return at::empty({like.size(0), rows, like.size(1), columns}, like.options().requires_grad(false)).transpose(1, 2);
}

class attention final : public torch::autograd::Function<attention> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& given_query,
                              const at::Tensor& given_keys, const at::Tensor& given_values, bool causal,
                              const c10::optional<at::Tensor>& padding) {
        const auto query = readable(given_query), keys = readable(given_keys), values = readable(given_values);
        const auto n = query.size(0), heads = query.size(1), tokens = query.size(2), length = keys.size(2);
        const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
        auto scores = at::empty({n, heads, tokens, length}, query.options().requires_grad(false));
        multiply(query, keys.transpose(2, 3), scale, scores);
        auto* row = scores.data_ptr<float>();
        for (std::int64_t i = 0; (causal || padding) && i < n * heads * tokens; ++i, row += length) {
            const auto filled = padding ? padding->data_ptr<std::int64_t>()[i / (heads * tokens)] : 0;
            const auto seen = causal ? i % tokens + 1 : length - filled; // what fills up stands behind all others
            std::fill(row + seen, row + length, -std::numeric_limits<float>::infinity());
        }
        const auto weights = at::_softmax(scores, 3, false);
        const auto mixed = by_rows(query, tokens, values.size(3));
        multiply(weights, values, 1.0, mixed);
        context->save_for_backward({query, keys, values, weights});
        return mixed;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   const torch::autograd::variable_list& gradients) {
        const auto saved = context->get_saved_variables();
        const auto &query = saved[0], &keys = saved[1], &values = saved[2], &weights = saved[3];
        const auto given = readable(gradients[0]);
        const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
        const auto of_values = by_rows(values, values.size(2), values.size(3));
        multiply(weights.transpose(2, 3), given, 1.0, of_values);
        auto of_weights = at::empty_like(weights);
        multiply(given, values.transpose(2, 3), 1.0, of_weights);
        const auto of_scores = at::_softmax_backward_data(of_weights, weights, 3, at::kFloat);
        const auto of_query = by_rows(query, query.size(2), query.size(3));
        multiply(of_scores, keys, scale, of_query);
        const auto of_keys = by_rows(keys, keys.size(2), keys.size(3));
        multiply(of_scores.transpose(2, 3), query, scale, of_keys);
        return {of_query, of_keys, of_values, at::Tensor(), at::Tensor()};
    }
};

} // namespace

bool computes_attention_on_cpus() { return true; }

at::Tensor fused_attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values, bool causal,
                           const at::Tensor& padding) {
    if (!query.is_cpu() || query.scalar_type() != at::kFloat) {
        return {};
    }
    return attention::apply(query, keys, values, causal,
                            padding.defined() ? c10::make_optional(padding) : c10::nullopt);
}

at::Tensor affine_of_each(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const auto n = input.size(0), rows = input.size(1), in = weight.size(1), width = weight.size(0);
    auto out = at::empty({n, rows, width}, input.options());
    if (bias.defined()) {
        out.copy_(bias.expand(out.sizes()));
    }
    const auto all = input.contiguous();
    multiply(all.unsqueeze(1), weight.contiguous().t().expand({n, 1, in, width}), 1.0, out.unsqueeze(1),
             bias.defined() ? 1.0F : 0.0F);
    return out;
}

bool fused_sgd(const fused_step&) { return false; }

bool fused_adamw(const fused_step&) { return false; }

} // namespace gaisnet
