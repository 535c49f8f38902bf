// Attention by one kernel against its definition in plain operations: of LibTorch 2.x, or our own over BLAS.

#include "model/torch/torch_support.hpp"
#include "support/drawn_tensor.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gaisnet {
namespace {

using lab::drawn_tensor;

constexpr float masked = -std::numeric_limits<float>::infinity();

/// Query, keys and values [2, 3, tokens, 8], as parts of rows that they share, which is how projections leave them.
struct projected {
    at::Tensor rows;
    explicit projected(std::int64_t tokens): rows(drawn_tensor({2, tokens, 3, 3, 8}, 1).requires_grad_(true)) {}
    at::Tensor part(std::int64_t which) const { return rows.select(2, which).transpose(1, 2); }
};

at::Tensor by_definition(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                         const at::Tensor& mask = {}) {
    auto products = at::matmul(query, keys.transpose(-2, -1)) / std::sqrt(static_cast<double>(query.size(3)));
    return at::matmul(at::softmax(mask.defined() ? products + mask : products, -1), values);
}

void expect_alike(const at::Tensor& a, const at::Tensor& b) { EXPECT_LT((a - b).abs().max().item<float>(), 1e-5F); }

TEST(attention_kernel, has_the_values_and_gradients_of_its_definition) {
    for (const bool causal : {false, true}) {
        const projected fused(5), plain(5);
        const auto mask = causal ? at::full({5, 5}, masked).triu(1) : at::Tensor();
        const auto out = fused_attention(fused.part(0), fused.part(1), fused.part(2), causal);
        ASSERT_TRUE(out.defined());
        const auto expected = by_definition(plain.part(0), plain.part(1), plain.part(2), mask);
        expect_alike(out, expected);
        const auto gradient = drawn_tensor({2, 3, 5, 8}, 9);
        run_backward(out, gradient);
        run_backward(expected, gradient);
        expect_alike(fused.rows.grad(), plain.rows.grad());
    }
}

// As with a prefix.
TEST(attention_kernel, takes_more_keys_than_queries) {
    std::vector<at::Tensor> fused, plain;
    for (std::uint32_t i = 0; i < 3; ++i) {
        fused.push_back(drawn_tensor({2, 3, i == 0 ? 5 : 7, 8}, i).requires_grad_(true));
        plain.push_back(fused.back().detach().clone().requires_grad_(true));
    }
    const auto out = fused_attention(fused[0], fused[1], fused[2]);
    const auto expected = by_definition(plain[0], plain[1], plain[2]);
    expect_alike(out, expected);
    run_backward(out, drawn_tensor({2, 3, 5, 8}, 9));
    run_backward(expected, drawn_tensor({2, 3, 5, 8}, 9));
    for (std::size_t i = 0; i < 3; ++i) {
        expect_alike(fused[i].grad(), plain[i].grad());
    }
}

TEST(attention_kernel, attends_to_no_padding_or_leaves_it_to_others) {
    const projected given(5);
    auto padding = at::zeros({2}, at::kLong);
    padding[1].fill_(2);
    const auto out = fused_attention(given.part(0), given.part(1), given.part(2), false, padding);
    if (!computes_attention_on_cpus()) {
        EXPECT_FALSE(out.defined());
        return;
    }
    auto mask = at::zeros({2, 1, 1, 5});
    mask[1].narrow(-1, 3, 2).fill_(masked);
    expect_alike(out, by_definition(given.part(0), given.part(1), given.part(2), mask));
}

// Otherwise a split model, whose first stages know no gradients, would not equal the whole one; nor would cached outputs.
TEST(attention_kernel, rounds_alike_alone_in_a_batch_and_without_gradients) {
    if (!computes_attention_on_cpus()) {
        SUCCEED() << "it is not used on CPUs";
        return;
    }
    const projected given(27);
    const auto all = fused_attention(given.part(0), given.part(1), given.part(2));
    const c10::NoGradGuard no_gradients;
    const auto one = [&](std::int64_t which) { return given.part(which).narrow(0, 1, 1); };
    EXPECT_TRUE(all.detach()[1].equal(fused_attention(one(0), one(1), one(2))[0]));
}

} // namespace
} // namespace gaisnet
