// A tiny random ViT against an independent implementation: plain PyTorch in Python, float64 (tests/golden/make_vit_golden.py).

#include "model/files/safetensors.hpp"
#include "model/files/weight_store.hpp"
#include "model/torch/class_means.hpp"
#include "model/torch/optimizer.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "support/tuned.hpp"
#include "support/vits.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gaisnet {
namespace {

const std::string folder = GAISNET_TEST_DATA;

class golden : public testing::Test {
protected:
    golden(): file(folder + "/tiny_vit_golden.safetensors") {
        set_torch_threads(1);
        const auto model = make_vit(16, 4, 24, 3, 3);
        store = weight_store::open(folder + "/tiny_vit.safetensors", model, testing::TempDir());
        backbone = std::make_shared<model_backbone>(make_backbone(model, [this](const tensor_spec& spec) {
            return at::from_blob(const_cast<float*>(store->tensor(spec.name).data()), spec.shape);
        }));
    }

    at::Tensor tensor(const std::string& name) const {
        const auto& entry = file.at(name);
        auto out = at::empty(entry.shape);
        file.read_float32(name, std::span<float>(out.data_ptr<float>(), static_cast<std::size_t>(out.numel())));
        return out;
    }

    at::Tensor labels() const {
        const auto values = file.int64("golden.labels");
        auto out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
        std::copy(values.begin(), values.end(), out.data_ptr<std::int64_t>());
        return out;
    }

    /// The tuned model with the golden prompts and head.
    tuned_model make_model() const {
        tuned_model model(backbone, tuned_by({.prompts = 5}), 7);
        const c10::NoGradGuard no_grad;
        const auto prompts = tensor("golden.prompts");
        for (std::size_t block = 0; block < 3; ++block) {
            model.parameters()[block].copy_(prompts[static_cast<std::int64_t>(block)]);
        }
        model.parameters()[3].copy_(tensor("golden.head.weight"));
        model.parameters()[4].copy_(tensor("golden.head.bias"));
        return model;
    }

    void expect_parameters(tuned_model& model, const std::string& prefix, double tolerance) const {
        std::vector<at::Tensor> prompts(model.parameters().begin(), model.parameters().begin() + 3);
        expect_near(at::stack(prompts), tensor(prefix + "prompts"), tolerance);
        expect_near(model.parameters()[3], tensor(prefix + "head.weight"), tolerance);
        expect_near(model.parameters()[4], tensor(prefix + "head.bias"), tolerance);
    }

    static void expect_near(const at::Tensor& a, const at::Tensor& b, double tolerance) {
        ASSERT_EQ(a.sizes(), b.sizes());
        EXPECT_LE((a.detach() - b).abs().max().item<double>(), tolerance);
    }

    double loss_and_backward(tuned_model& model) const {
        const auto loss = at::cross_entropy_loss(model.forward(tensor("golden.images")), labels());
        run_backward(loss, {});
        return loss.item<double>();
    }

    safetensors_file file;
    std::shared_ptr<const weight_store> store;
    std::shared_ptr<const model_backbone> backbone;
};

TEST_F(golden, plain_forward) {
    const c10::NoGradGuard no_grad;
    auto tokens = backbone->embed(tensor("golden.images"));
    for (std::int64_t block = 0; block < 3; ++block) {
        tokens = backbone->block(block)(tokens);
    }
    expect_near(backbone->normalise(backbone->pool(tokens)), tensor("golden.features"), 1e-5);
}

TEST_F(golden, deep_prompts_logits_loss_and_gradients) {
    auto model = make_model();
    expect_near(model.forward(tensor("golden.images")), tensor("golden.logits"), 1e-5);
    EXPECT_NEAR(loss_and_backward(model), tensor("golden.loss").item<double>(), 1e-5);
    for (auto& parameter : model.parameters()) {
        const c10::NoGradGuard no_grad;
        parameter.copy_(parameter.grad());
    }
    expect_parameters(model, "golden.grad.", 1e-5);
}

TEST_F(golden, three_steps_of_each_optimizer) {
    const std::pair<const char*, optimizer_settings> kinds[] = {{"golden.sgd.", {optimizer_kind::sgd, 0.9, 1e-4}},
                                                                {"golden.adamw.", {optimizer_kind::adamw, 0.0, 0.01}}};
    for (const auto& [prefix, settings] : kinds) {
        auto model = make_model();
        optimizer steps(settings);
        for (int i = 0; i < 3; ++i) {
            loss_and_backward(model);
            steps.step(model.parameters(), settings.kind == optimizer_kind::sgd ? 0.1 : 1e-3);
        }
        // AdamW divides by the root of tiny second moments, which float32 rounds: a hundredth of its step of 1e-3.
        expect_parameters(model, prefix, 1e-5);
    }
}

/// Means of unit vectors by hand: class 0 points to x, class 2 to y; class 1 has no sample.
TEST(class_means, are_compared_by_their_cosine) {
    class_means means(3, 2);
    means.add(at::tensor({10.0F, 0.0F, 3.0F, 4.0F, 0.0F, 0.1F}).view({3, 2}), at::tensor({0, 0, 2}, at::kLong));
    // The mean of (1, 0) and (0.6, 0.8) points to (0.894, 0.447); the bisector to (0, 1) is at 58.3 degrees.
    const auto angles = at::tensor({0.0F, 57.0F, 60.0F, 170.0F}) * (3.14159265F / 180.0F);
    const auto near = means.nearest(7.0F * at::stack({angles.cos(), angles.sin()}, 1));
    EXPECT_TRUE(near.equal(at::tensor({0, 0, 2, 2}, at::kLong))) << near;
}

/// Every tuning method against analysis/vit.py in PyTorch (tests/golden/make_tuning_golden.py). Modules are found by their
/// names, so this is also what a user's script gets from a run's output.
TEST_F(golden, every_tuning_method) {
    const safetensors_file methods(folder + "/tiny_vit_methods.safetensors");
    const auto tensor_of = [&](const std::string& name) {
        auto out = at::empty(methods.at(name).shape);
        methods.read_float32(name, std::span<float>(out.data_ptr<float>(), static_cast<std::size_t>(out.numel())));
        return out;
    };
    using enum block_linear;
    tuning_settings settings;
    settings.prompts = 5;
    settings.rank = 2;
    settings.alpha = 3.0;
    settings.bottleneck = 6;
    settings.targets = {query, key, value, projection, fc1, fc2};
    for (const auto* method : {"prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full"}) {
        SCOPED_TRACE(method);
        settings.method = method;
        const std::string prefix = std::string(method) + ".";
        tuned_model model(backbone, tuned_by(settings), 7);
        for (std::size_t i = 0; i < model.tunables().size(); ++i) {
            const c10::NoGradGuard no_grad;
            model.parameters()[i].copy_(tensor_of(prefix + model.tunables()[i].tensor.name));
        }
        expect_near(model.forward(tensor("golden.images")), tensor_of(prefix + "logits"), 1e-5);
        EXPECT_NEAR(loss_and_backward(model), tensor_of(prefix + "loss").item<double>(), 1e-5);
        for (std::size_t i = 0; i < model.tunables().size(); ++i) {
            const auto& name = model.tunables()[i].tensor.name;
            SCOPED_TRACE(name);
            expect_near(model.parameters()[i].grad(), tensor_of(prefix + "grad." + name), 2e-5);
        }
    }
}

} // namespace
} // namespace gaisnet
