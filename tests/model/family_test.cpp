// What the scenario knows of a family, without its model, is what the model says.

#include "base/registry.hpp"
#include "model/family.hpp"
#include "scenario/scenario.hpp"

#include <gtest/gtest.h>

namespace gaisnet {
namespace {

TEST(family, an_entry_says_of_samples_and_tokens_what_its_model_says) {
    for (const auto* entry : registry<family_entry>::all()) {
        scenario scene;
        scene.model.family = entry->name;
        const auto model = make_model(scene);
        EXPECT_EQ(entry->takes_texts, model->takes_tokens()) << entry->name;
        EXPECT_EQ(entry->causal, model->causal()) << entry->name;
        EXPECT_EQ(model->causal(), !model->output_tensors().empty()) << entry->name;
        EXPECT_STREQ(model->family(), entry->name);
    }
}

} // namespace
} // namespace gaisnet
