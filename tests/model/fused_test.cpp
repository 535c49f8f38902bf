// Fused kernels of LibTorch 2.x against the plain operations. They compute on GPUs in the program, and here on the CPU;
// CMake leaves this file out with older LibTorchs, which have none.

#include "model/torch/optimizer.hpp"
#include "model/torch/torch_support.hpp"
#include "support/drawn_tensor.hpp"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gaisnet {
namespace {

using lab::drawn_tensor;

TEST(fused, sgd_without_momentum_is_given_no_moments) {
    std::vector<at::Tensor> parameters{drawn_tensor({3}, 0)}, gradients{drawn_tensor({3}, 1)}, moments{at::zeros({3})};
    const auto expected = parameters[0] - 0.1 * gradients[0];
    ASSERT_TRUE(fused_sgd({parameters, gradients, moments, {}, 0.1, 0.0, /*momentum=*/0.0, 1}));
    EXPECT_LT((parameters[0] - expected).abs().max().item<float>(), 1e-6F);
    EXPECT_EQ(moments[0].abs().max().item<float>(), 0.0F) << "the kernel for GPUs refuses them";
}

TEST(fused, optimiser_steps_are_those_of_the_plain_operations) {
    for (const auto kind : {optimizer_kind::sgd, optimizer_kind::adamw}) {
        const optimizer_settings settings{kind, 0.9, 0.05};
        optimizer plain(settings);
        std::vector<at::Tensor> parameters, same, first, second;
        for (std::uint32_t i = 0; i < 3; ++i) {
            parameters.push_back(drawn_tensor({4, i + 1}, i).requires_grad_(true));
            same.push_back(parameters.back().detach().clone());
            first.push_back(at::zeros_like(same.back()));
            second.push_back(at::zeros_like(same.back()));
        }
        for (std::int64_t step = 1; step <= 5; ++step) {
            std::vector<at::Tensor> gradients;
            for (std::uint32_t i = 0; i < 3; ++i) {
                gradients.push_back(drawn_tensor({4, i + 1}, 10 * static_cast<std::uint32_t>(step) + i));
                parameters[i].mutable_grad() = gradients.back().clone();
            }
            plain.step(parameters, 0.02);
            const fused_step all{same, gradients, first, second, 0.02, settings.weight_decay, settings.momentum, step};
            ASSERT_TRUE(kind == optimizer_kind::sgd ? fused_sgd(all) : fused_adamw(all));
            for (std::size_t i = 0; i < 3; ++i) {
                EXPECT_LT((parameters[i] - same[i]).abs().max().item<float>(), 1e-6F) << step;
                EXPECT_LT((plain.first_moments()[i] - first[i]).abs().max().item<float>(), 1e-6F);
                if (kind == optimizer_kind::adamw) {
                    EXPECT_LT((plain.second_moments()[i] - second[i]).abs().max().item<float>(), 1e-6F);
                }
            }
        }
    }
}

} // namespace
} // namespace gaisnet
