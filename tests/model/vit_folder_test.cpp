// Vision Transformers as folders of Hugging Face's have them: sizes and eps by config.json, positions for images of another
// size (tests/golden/make_language_golden.py).

#include "model/torch/torch_support.hpp"
#include "model/vit/vit.hpp"
#include "support/languages.hpp"

#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gaisnet {
namespace {

at::Tensor class_scores(const golden_folder& folder, const at::Tensor& pooled) {
    const safetensors_file file(folder.path + "/model.safetensors");
    auto weight = file.float32("classifier.weight"), bias = file.float32("classifier.bias");
    return at::linear(folder.backbone->normalise(pooled), at::from_blob(weight.data(), {5, 16}),
                      at::from_blob(bias.data(), {5}));
}

TEST(vit_folder, states_and_logits_are_those_of_transformers) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    const golden_folder folder("tiny_vit_hf");
    EXPECT_EQ(dynamic_cast<const vit&>(*folder.model).norm_epsilon(), 1e-12);
    EXPECT_EQ(folder.model->shape().hidden, 32);
    const auto& backbone = *folder.backbone;
    auto tokens = backbone.embed(folder["pixel_values"]);
    expect_near(tokens, folder["hidden.0"], 1e-5);
    for (std::int64_t block = 0; block < 2; ++block) {
        tokens = backbone.block(block)(tokens);
        expect_near(tokens, folder["hidden." + std::to_string(block + 1)], 2e-5);
    }
    expect_near(backbone.normalise(tokens), folder["normed"], 2e-5);
    expect_near(class_scores(folder, backbone.pool(tokens)), folder["logits"], 1e-4);
}

TEST(vit_folder, positions_are_interpolated_as_timm_does) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    for (const auto* size : {"24", "12"}) {
        const golden_folder folder("tiny_vit_hf", {"--model.image", size});
        const std::string name = std::string("size") + size + ".";
        expect_near(folder.backbone->embedding.at(1), folder[name + "timm.position_embeddings"], 1e-6);
        const auto tokens = folder.backbone->run_blocks(folder.backbone->embed(folder[name + "pixel_values"]));
        expect_near(class_scores(folder, folder.backbone->pool(tokens)), folder[name + "timm.logits"], 1e-4);
        EXPECT_THAT(folder.store->notes(), testing::Contains(testing::HasSubstr("positions are those of images of 16 "
                                                                                "pixels; they are interpolated")));
    }
}

} // namespace
} // namespace gaisnet
