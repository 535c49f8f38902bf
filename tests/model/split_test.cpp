// Split training equals training the whole model on the same batches, for every cut of a small model.

#include "model/torch/torch_stage.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "roles/stage_role.hpp"
#include "support/lab.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gaisnet {
namespace {

constexpr std::int64_t batch_size = 6;
constexpr int steps = 3;
constexpr double learning_rate = 0.1;
const optimizer_settings sgd{optimizer_kind::sgd, 0.9, 1e-4};

std::vector<float> flat(const std::vector<at::Tensor>& parameters) {
    std::vector<float> values;
    for (const auto& parameter : parameters) {
        const auto tensor = parameter.detach().contiguous();
        values.insert(values.end(), tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel());
    }
    return values;
}

struct training {
    std::vector<float> parameters; ///< Canonical order
    std::vector<double> losses;
    std::vector<float> first_gradients; ///< Of the first step, canonical order
};

training train_whole(const scenario& scene, std::shared_ptr<const model_backbone> backbone,
                     std::int64_t classes = lab::classes, std::shared_ptr<const tuning_method> method = nullptr) {
    tuned_model model(backbone, method ? method : make_tuning_method(scene), classes);
    model.load(initial_values(model.tunables(), 1, lab::weights_of(backbone)));
    optimizer step(sgd);
    training out;
    for (int i = 0; i < steps; ++i) {
        lab::random_samples samples(make_model(scene), 0, batch_size, classes);
        const micro_batch batch{0, i, 0, batch_size, batch_size};
        const auto padding = samples.padding(batch);
        const auto logits =
            model.forward({to_torch(samples.inputs(batch)), padding.empty() ? at::Tensor() : to_torch(padding)});
        const auto loss = at::cross_entropy_loss(logits.flatten(0, -2), to_torch(samples.labels(batch)).flatten());
        out.losses.push_back(loss.item<double>());
        run_backward(loss, {});
        if (i == 0) {
            std::vector<at::Tensor> gradients;
            for (const auto& parameter : model.parameters()) {
                gradients.push_back(parameter.grad().clone());
            }
            out.first_gradients = flat(gradients);
        }
        step.step(model.parameters(), learning_rate);
    }
    out.parameters = flat(model.parameters());
    return out;
}

/// Runs a chain of stages by hand, as its messages would.
training train_split(const scenario& scene, std::shared_ptr<const model_backbone> backbone,
                     const std::vector<stage_cut>& cuts, int micro_batches, std::int64_t classes = lab::classes,
                     std::vector<std::shared_ptr<const tuning_method>> methods = {}) {
    methods.resize(cuts.size(), methods.empty() ? make_tuning_method(scene) : methods.back());
    const auto specs = make_stages(make_model(scene), methods, classes, cuts);
    const auto samples = std::make_shared<lab::random_samples>(make_model(scene), 0, batch_size, classes);
    std::vector<std::unique_ptr<torch_stage>> stages;
    for (const auto& spec : specs) {
        stages.push_back(std::make_unique<torch_stage>(spec, backbone, sgd, samples));
        if (spec.trainable()) {
            stages.back()->load(initial_values(spec.tunables(), 1, lab::weights_of(backbone)));
        }
    }
    training out;
    for (int i = 0; i < steps; ++i) {
        const auto micros = split_batch({0, i, 0, batch_size, batch_size}, micro_batches);
        for (const auto& micro : micros) {
            tensor_view tokens;
            for (auto& stage : stages) {
                tokens = stage->run({.operation = stage_operation::forward,
                                     .micro = micro,
                                     .input = tokens,
                                     .labels = samples->labels(micro),
                                     .padding = samples->padding(micro)});
            }
        }
        for (const auto& micro : micros) {
            tensor_view gradient;
            for (std::size_t s = stages.size(); s-- > 0;) {
                if (specs[s].runs_backward()) {
                    gradient =
                        stages[s]->run({.operation = stage_operation::backward, .micro = micro, .input = gradient});
                    EXPECT_EQ(gradient.empty(), !specs[s].input_gradient);
                }
            }
        }
        if (i == 0) {
            for (auto& stage : stages) {
                const auto values = flat(stage->gradients());
                out.first_gradients.insert(out.first_gradients.end(), values.begin(), values.end());
            }
        }
        for (std::size_t s = 0; s < stages.size(); ++s) {
            if (specs[s].trainable()) {
                stages[s]->run({.operation = stage_operation::step, .learning_rate = learning_rate});
            }
        }
        out.losses.push_back(stages.back()->take_totals().loss_sum /
                             static_cast<double>(batch_size * specs.back().predictions()));
    }
    for (auto& stage : stages) {
        const auto values = flat(stage->parameters());
        out.parameters.insert(out.parameters.end(), values.begin(), values.end());
    }
    return out;
}

/// Every way to cut `depth` blocks into up to `most` stages, zero blocks allowed at both ends.
std::vector<std::vector<stage_cut>> all_cuts(std::int64_t depth, int most) {
    std::vector<std::vector<stage_cut>> all;
    std::vector<std::int64_t> counts;
    const std::function<void(std::int64_t)> extend = [&](std::int64_t left) {
        if (left == 0 && !counts.empty()) {
            std::vector<stage_cut> cuts;
            std::int64_t first = 0;
            for (std::size_t i = 0; i < counts.size(); ++i) {
                cuts.push_back({i == 0, first, counts[i], i + 1 == counts.size()});
                first += counts[i];
            }
            all.push_back(cuts);
        }
        if (static_cast<int>(counts.size()) == most) {
            return;
        }
        for (std::int64_t take = counts.empty() || left == 0 ? 0 : 1; take <= left; ++take) {
            if (take == 0 && !counts.empty() && counts.back() == 0 && left == 0) {
                break; // nothing behind an empty end point
            }
            counts.push_back(take);
            extend(left - take);
            counts.pop_back();
        }
    };
    extend(depth);
    return all;
}

TEST(split, equals_the_whole_model_for_every_cut) {
    set_torch_threads(1);
    const auto scene = lab::small_scenario();
    const auto backbone = lab::random_backbone(make_model(scene));
    const auto whole = train_whole(scene, backbone);
    ASSERT_NE(whole.losses.front(), whole.losses.back());
    const auto cuts = all_cuts(scene.model.depth, 4);
    ASSERT_GE(cuts.size(), 15U);
    for (const auto& cut : cuts) {
        std::string name;
        for (const auto& stage : cut) {
            name += std::to_string(stage.blocks) + " ";
        }
        SCOPED_TRACE("blocks " + name);
        const auto split = train_split(scene, backbone, cut, 1);
        EXPECT_EQ(split.first_gradients, whole.first_gradients) << "one micro-batch must be equal bit for bit";
        EXPECT_EQ(split.parameters, whole.parameters) << "one micro-batch must be equal bit for bit";
    }
}

TEST(split, equals_the_whole_model_with_every_tuning_method) {
    set_torch_threads(1);
    auto scene = lab::small_scenario();
    const auto backbone = lab::random_backbone(make_model(scene));
    for (const auto& settings : lab::every_tuning()) {
        SCOPED_TRACE(settings.method);
        scene.tuning = settings;
        const auto whole = train_whole(scene, backbone);
        ASSERT_NE(whole.losses.back(), whole.losses.front());
        const auto tuned = std::count_if(whole.first_gradients.begin(), whole.first_gradients.end(),
                                         [](float value) { return value != 0.0F; });
        const auto head = lab::classes * (scene.model.dim + 1);
        EXPECT_TRUE(settings.method == "head" ? tuned > head / 2 : tuned > head) << "what is tuned has gradients";
        for (const auto& cut : all_cuts(scene.model.depth, 3)) {
            const auto split = train_split(scene, backbone, cut, 1);
            EXPECT_EQ(split.first_gradients, whole.first_gradients);
            EXPECT_EQ(split.parameters, whole.parameters);
        }
    }
}

/// Each block with a method of its own.
class block_by_block final : public tuning_method {
public:
    explicit block_by_block(std::vector<std::shared_ptr<const tuning_method>> methods): methods_(std::move(methods)) {}
    block_change change(const foundation_model& model, std::int64_t block) const override {
        return of(block).change(model, block);
    }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        return of(block).of_block(model, block);
    }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        return of(block.index).forward(block, tokens, tunables);
    }

private:
    const tuning_method& of(std::int64_t block) const { return *methods_.at(static_cast<std::size_t>(block)); }
    std::vector<std::shared_ptr<const tuning_method>> methods_;
};

TEST(split, equals_the_whole_model_where_clients_have_ranks_of_their_own) {
    set_torch_threads(1);
    auto scene = lab::small_scenario();
    scene.tuning.method = "lora";
    scene.tuning.rank = 6;
    const auto backbone = lab::random_backbone(make_model(scene));
    const auto largest = make_tuning_method(scene);
    for (const auto& cut : all_cuts(scene.model.depth, 3)) {
        std::vector<std::shared_ptr<const tuning_method>> methods, by_block;
        for (std::size_t i = 0; i < cut.size(); ++i) {
            methods.push_back(sized(largest, static_cast<std::int64_t>(6 - 2 * i)));
            by_block.insert(by_block.end(), static_cast<std::size_t>(cut[i].blocks), methods.back());
        }
        const auto whole = train_whole(scene, backbone, lab::classes, std::make_shared<block_by_block>(by_block));
        const auto split = train_split(scene, backbone, cut, 1, lab::classes, methods);
        EXPECT_EQ(split.first_gradients, whole.first_gradients);
        EXPECT_EQ(split.parameters, whole.parameters);
    }
}

void compare_text_family(const std::string& family, std::int64_t classes) {
    auto scene = lab::text_scenario(family);
    const auto model = make_model(scene);
    const auto backbone = lab::random_backbone(model);
    for (const auto& settings : lab::every_tuning_of(*model)) {
        SCOPED_TRACE(family + ", " + settings.method + " of " + std::to_string(settings.targets.size()));
        scene.tuning = settings;
        const auto whole = train_whole(scene, backbone, classes);
        ASSERT_NE(whole.losses.back(), whole.losses.front());
        for (const auto& cut : all_cuts(scene.model.depth, 3)) {
            const auto split = train_split(scene, backbone, cut, 1, classes);
            EXPECT_EQ(split.first_gradients, whole.first_gradients);
            EXPECT_EQ(split.parameters, whole.parameters);
            EXPECT_NEAR(split.losses.back(), whole.losses.back(), 1e-6);
        }
    }
}

/// Texts are padded, each by another number of tokens.
TEST(split, classifies_as_the_whole_model_of_every_family_of_texts) {
    set_torch_threads(1);
    for (const auto& family : lab::text_families) {
        compare_text_family(family, lab::classes);
    }
}

TEST(split, tells_next_tokens_as_the_whole_model_of_every_causal_family) {
    set_torch_threads(1);
    for (const auto& family : lab::text_families) {
        if (make_model(lab::text_scenario(family))->causal()) {
            compare_text_family(family, no_classes);
        }
    }
}

/// Smashed data is float32, which holds every bfloat16, so cuts change nothing there either.
TEST(split, equals_the_whole_model_in_bfloat16) {
    set_torch_threads(1);
    const auto scene = lab::small_scenario();
    const auto backbone = lab::random_backbone(make_model(scene), 11, at::kBFloat16);
    const auto whole = train_whole(scene, backbone);
    const auto exact = train_whole(scene, lab::random_backbone(make_model(scene)));
    EXPECT_NE(whole.losses, exact.losses);
    for (std::size_t i = 0; i < exact.losses.size(); ++i) {
        EXPECT_NEAR(whole.losses[i], exact.losses[i], 0.02 * exact.losses[i]); // eight bits of mantissa
    }
    for (const auto& cut : all_cuts(scene.model.depth, 3)) {
        const auto split = train_split(scene, backbone, cut, 1);
        EXPECT_EQ(split.first_gradients, whole.first_gradients);
        EXPECT_EQ(split.parameters, whole.parameters);
    }
}

TEST(split, micro_batches_add_up_to_the_batch) {
    set_torch_threads(1);
    const auto scene = lab::small_scenario();
    const auto backbone = lab::random_backbone(make_model(scene));
    const auto whole = train_whole(scene, backbone);
    double largest = 0.0;
    for (const auto value : whole.first_gradients) {
        largest = std::max(largest, static_cast<double>(std::abs(value)));
    }
    for (const int micros : {2, 3, 4, 6}) {
        const auto split =
            train_split(scene, backbone, {{true, 0, 0, false}, {false, 0, 4, false}, {false, 4, 0, true}}, micros);
        for (std::size_t i = 0; i < whole.first_gradients.size(); ++i) {
            ASSERT_NEAR(split.first_gradients[i], whole.first_gradients[i], 1e-5 * largest) << micros;
        }
        for (std::size_t i = 0; i < whole.losses.size(); ++i) {
            EXPECT_NEAR(split.losses[i], whole.losses[i], 1e-5 * whole.losses[i]);
        }
    }
}

} // namespace
} // namespace gaisnet
