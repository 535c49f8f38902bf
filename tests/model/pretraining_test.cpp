#include "data/batch_loader.hpp"
#include "model/language/language_modelling.hpp"
#include "model/torch/pretraining.hpp"
#include "model/vit/masked_modelling.hpp"

#include "model/files/weight_store.hpp"
#include "model/torch/torch_support.hpp"
#include "support/lab.hpp"
#include "support/vits.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace gaisnet {
namespace {

class pretraining : public testing::Test {
protected:
    pretraining() {
        const auto store = weight_store::random(vit_, 3);
        backbone_ = make_backbone(vit_, [&](const tensor_spec& spec) {
            auto tensor = at::from_blob(const_cast<float*>(store->tensor(spec.name).data()), spec.shape).clone();
            of_backbone_.emplace_back(spec.name, tensor.requires_grad_(true));
            return tensor;
        });
    }

    /// Pixels that are all different, in -1 to 1, without torch's generator.
    at::Tensor images(std::int64_t n) const {
        auto all = at::empty({n, 3, vit_->image(), vit_->image()});
        auto* values = all.data_ptr<float>();
        for (std::int64_t i = 0; i < all.numel(); ++i) {
            values[i] = std::sin(0.37F * static_cast<float>(i));
        }
        return all;
    }

    static void set(pretraining_objective& objective, const std::string& name, const at::Tensor& values) {
        const c10::NoGradGuard no_grad;
        for (auto& [known, tensor] : objective.parameters()) {
            if (known == name) {
                tensor.detach().copy_(values);
                return;
            }
        }
        FAIL() << name;
    }

    std::shared_ptr<const vit> vit_ = make_vit(12, 4, 16, 2, 2);
    std::vector<std::pair<std::string, at::Tensor>> of_backbone_; ///< By timm's names.
    model_backbone backbone_;
};

/// By loops over pixels: patch number, then channel, row and column in it.
TEST_F(pretraining, patches_are_in_raster_order) {
    const auto some = images(2);
    const auto patches = patches_of(some, vit_->patch());
    ASSERT_EQ(patches.sizes().vec(), (std::vector<std::int64_t>{2, 9, 48}));
    for (std::int64_t n = 0; n < 2; ++n) {
        for (std::int64_t c = 0; c < 3; ++c) {
            for (std::int64_t y = 0; y < 12; ++y) {
                for (std::int64_t x = 0; x < 12; ++x) {
                    ASSERT_EQ(patches[n][y / 4 * 3 + x / 4][c * 16 + y % 4 * 4 + x % 4].item<float>(),
                              some[n][c][y][x].item<float>());
                }
            }
        }
    }
}

/// With a decoder of zeros the prediction is 0 everywhere: the loss is the mean size of the masked pixels, by hand.
TEST_F(pretraining, the_loss_is_the_mean_absolute_error_of_masked_pixels) {
    const masked_modelling objective(*vit_);
    const auto some = images(2);
    auto masked = at::zeros({2, 9}, at::kBool);
    const std::vector<std::vector<int>> which{{0, 4}, {2, 7}};
    double expected = 0;
    for (std::size_t n = 0; n < 2; ++n) {
        for (const int patch : which[n]) {
            masked[static_cast<std::int64_t>(n)][patch] = true;
            for (std::int64_t c = 0; c < 3; ++c) {
                for (std::int64_t i = 0; i < 16; ++i) {
                    const auto y = patch / 3 * 4 + i / 4, x = patch % 3 * 4 + i % 4;
                    expected += std::abs(some[static_cast<std::int64_t>(n)][c][y][x].item<double>()) / 96.0;
                }
            }
        }
    }
    const auto loss = objective.evaluate(backbone_, {some, {}, masked}).loss_sum.item<double>();
    EXPECT_NEAR(loss, expected, 1e-5 * expected);
}

TEST_F(pretraining, what_is_masked_is_not_seen) {
    masked_modelling objective(*vit_);
    const auto weight = images(16).reshape({-1}).narrow(0, 0, 48 * 16).reshape({48, 16});
    set(objective, "decoder.weight", weight);
    set(objective, "decoder.cls_weight", weight * 0.5);
    const auto one = images(1);
    auto other = one.clone();
    other.narrow(2, 4, 4).narrow(3, 8, 4).mul_(-3.0); // patch 5
    auto masked = at::zeros({1, 9}, at::kBool);
    masked[0][5] = true;
    EXPECT_TRUE(at::equal(objective.predict(backbone_, one, masked), objective.predict(backbone_, other, masked)));
    // ... and what is not masked is, by all patches and through CLS.
    masked[0][5] = false;
    masked[0][1] = true;
    const auto difference =
        (objective.predict(backbone_, one, masked) - objective.predict(backbone_, other, masked)).abs().amax(-1);
    EXPECT_GT(difference.min().item<double>(), 1e-6);
}

TEST_F(pretraining, the_backbone_and_all_parameters_of_masked_modelling_are_trained) {
    masked_modelling objective(*vit_);
    auto all = objective.parameters();
    ASSERT_EQ(all.size(), 4U);
    all.insert(all.end(), of_backbone_.begin(), of_backbone_.end());
    set(objective, "decoder.weight", at::ones({48, 16}) * 0.01);
    const auto mask = at::stack({draw_mask(*vit_, 0.5, 1, "a", 0), draw_mask(*vit_, 0.5, 1, "b", 0)});
    run_backward(objective.evaluate(backbone_, {images(2), {}, mask}).loss_sum, {});
    for (const auto& [name, tensor] : all) {
        ASSERT_TRUE(tensor.grad().defined()) << name;
        EXPECT_GT(tensor.grad().abs().max().item<double>(), 0.0) << name;
    }
}

TEST_F(pretraining, masks_are_drawn_for_image_and_epoch) {
    EXPECT_EQ(masked_patches(*vit_, 0.6), 5);
    EXPECT_EQ(masked_patches(*vit_, 1e-9), 1);
    EXPECT_EQ(masked_patches(*vit_, 0.999), 8);
    std::set<std::string> seen;
    std::vector<int> times(9, 0);
    for (std::uint32_t epoch = 0; epoch < 200; ++epoch) {
        const auto mask = draw_mask(*vit_, 0.6, 7, "image", epoch);
        std::string text;
        for (std::int64_t i = 0; i < 9; ++i) {
            const bool on = mask[i].item<bool>();
            text += on ? '1' : '0';
            times[static_cast<std::size_t>(i)] += on ? 1 : 0;
        }
        EXPECT_EQ(mask.sum().item<std::int64_t>(), 5);
        seen.insert(text);
    }
    EXPECT_GT(seen.size(), 50U); // of 126
    for (const int count : times) {
        EXPECT_NEAR(count, 200 * 5 / 9.0, 40); // more than five standard deviations
    }
    EXPECT_TRUE(at::equal(draw_mask(*vit_, 0.6, 7, "image", 3), draw_mask(*vit_, 0.6, 7, "image", 3)));
    EXPECT_FALSE(at::equal(at::stack({draw_mask(*vit_, 0.6, 7, "a", 3), draw_mask(*vit_, 0.6, 7, "a", 4)}),
                           at::stack({draw_mask(*vit_, 0.6, 7, "b", 3), draw_mask(*vit_, 0.6, 7, "b", 4)})));
}

/// The head begins with zeros: every class has the same probability.
TEST_F(pretraining, supervised_begins_at_the_entropy_of_chance) {
    const auto objective = make_supervised(*vit_, 5);
    const auto result = objective->evaluate(backbone_, {images(3), at::tensor({0, 4, 2}, at::kLong), {}});
    EXPECT_NEAR(result.loss_sum.item<double>(), 3 * std::log(5.0), 1e-5);
    EXPECT_EQ(result.correct, 1); // the first class is told of equal ones
}

// ------------------------------------------------------------------------------------------------ texts

TEST(pretraining_of_texts, next_tokens_cost_their_mean_cross_entropy) {
    const auto model = make_model(lab::text_scenario("gpt2"));
    const auto backbone = lab::random_backbone(model);
    const auto inputs = at::randint(0, model->vocabulary(), {3, 9}, at::kLong);
    auto wanted = at::randint(0, model->vocabulary(), {3, 9}, at::kLong);
    wanted[2].slice(0, 4).fill_(ignored_token); // the last sample has four tokens to tell
    const auto result = make_next_token_modelling()->evaluate(*backbone, {inputs, wanted, {}});
    const auto logits = backbone->logits(backbone->normalise(backbone->run_blocks(backbone->embed(inputs))));
    double sum = 0;
    for (int sample = 0; sample < 3; ++sample) {
        const int told = sample == 2 ? 4 : 9;
        double its = 0;
        for (int token = 0; token < told; ++token) {
            its -= logits[sample][token].log_softmax(0)[wanted[sample][token].item<std::int64_t>()].item<double>();
        }
        sum += its / told;
    }
    EXPECT_NEAR(result.loss_sum.item<double>(), sum, 1e-4);
    EXPECT_EQ(result.predictions, 22);
}

TEST(pretraining_of_texts, masked_tokens_are_drawn_among_those_that_mean_text) {
    const auto model = make_model(lab::text_scenario("bert"));
    const auto backbone = lab::random_backbone(model);
    constexpr std::int32_t special = 1, mask = 2;
    auto inputs = at::randint(3, model->vocabulary(), {4, 9}, at::kLong);
    inputs.select(1, 0).fill_(special);
    const auto objective = make_masked_tokens(*model, {0.5, mask, {special}, 7});
    pretraining_batch batch{inputs, {}, {}, at::tensor({0, 2, 4, 8}, at::kLong)};
    objective->draw(batch, {"a", "b", "c", "d"}, 0);
    EXPECT_FALSE(batch.masked.select(1, 0).slice(0, 0, 3).any().item<bool>()) << "special tokens";
    const std::vector<std::int64_t> expected{4, 3, 2, 1}; // half of 8, 6 and 4 tokens; of none at least one
    for (std::int64_t sample = 0; sample < 4; ++sample) {
        EXPECT_EQ(batch.masked[sample].sum().item<std::int64_t>(), expected[static_cast<std::size_t>(sample)]);
    }
    EXPECT_FALSE(batch.masked[1].slice(0, 7).any().item<bool>()) << "padding";
    auto again = batch;
    objective->draw(again, {"a", "b", "c", "d"}, 0);
    EXPECT_TRUE(at::equal(again.masked, batch.masked));
    objective->draw(again, {"a", "b", "c", "d"}, 1);
    EXPECT_FALSE(at::equal(again.masked, batch.masked)) << "another epoch";
    // What is masked cannot be seen: another token in its place changes nothing but what is wanted.
    objective->draw(batch, {"a", "b", "c", "d"}, 0);
    const auto before = objective->evaluate(*backbone, batch);
    EXPECT_EQ(before.predictions, 10);
    auto other = batch;
    other.inputs = at::where(batch.masked, at::full_like(batch.inputs, mask), batch.inputs);
    const auto tokens = backbone->run_blocks(backbone->embed(other.inputs), batch.padding);
    const auto logits = at::matmul(tokens, backbone->embedding.front().t()).log_softmax(2);
    double sum = 0;
    for (std::int64_t sample = 0; sample < 4; ++sample) {
        double its = 0;
        for (std::int64_t token = 0; token < 9; ++token) {
            if (batch.masked[sample][token].item<bool>()) {
                its -= logits[sample][token][batch.inputs[sample][token].item<std::int64_t>()].item<double>();
            }
        }
        sum += its / static_cast<double>(expected[static_cast<std::size_t>(sample)]);
    }
    EXPECT_NEAR(before.loss_sum.item<double>(), sum, 1e-4);
}

} // namespace
} // namespace gaisnet
