// What a stage costs by its shapes, against published figures of ViT-B/16 and against what torch really does.

#include "model/torch/attention.hpp"
#include "model/torch/torch_stage.hpp"
#include "model/torch/torch_support.hpp"
#include "roles/stage_role.hpp"
#include "settings/options.hpp"
#include "support/lab.hpp"
#include "support/tuned.hpp"
#include "support/vits.hpp"

#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>

namespace gaisnet {
namespace {

const auto vit_base = make_vit(224, 16, 768, 12, 12, "vit_base");

std::int64_t elements_of(const std::vector<tensor_spec>& tensors) {
    return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0},
                           [](std::int64_t sum, const tensor_spec& tensor) { return sum + tensor.elements(); });
}

TEST(cost, parameters_of_vit_base) {
    EXPECT_EQ(elements_of(vit_base->block_tensors(0)), 7'087'872);
    EXPECT_EQ(elements_of(vit_base->embedding_tensors()), 742'656);
    EXPECT_EQ(elements_of(vit_base->tensors()), 85'798'656);
    const auto method = tuned_by({});
    std::int64_t prompts = 0, head = 0;
    const auto model = whole_model(vit_base, method, 5);
    for (const auto& tunable : model.tunables()) {
        (tunable.tensor.name.starts_with("head") ? head : prompts) += tunable.tensor.elements();
    }
    EXPECT_EQ(prompts, 92'160);
    EXPECT_EQ(head, 3'845);
    // 0.384 MB travel, 894 times less than the model with its head.
    EXPECT_NEAR(static_cast<double>(prompts + head) * 4 / 1e6, 0.384, 5e-4);
    EXPECT_NEAR(static_cast<double>(85'798'656 + head) / static_cast<double>(prompts + head), 894.0, 1.0);
}

TEST(cost, flops_of_a_vit_base_block_with_ten_prompts) {
    const auto method = tuned_by({});
    const auto stages =
        make_stages(vit_base, method, 5, {{true, 0, 0, false}, {false, 0, 1, false}, {false, 1, 11, true}});
    EXPECT_NEAR(stages[1].forward_flops(1) / 2e9, 1.531, 5e-4); // GMAC of 207 tokens
    // With frozen weights the backward costs about one forward: input gradients only.
    EXPECT_NEAR(stages[1].backward_flops(1) / stages[1].forward_flops(1), 1.0, 0.05);
    EXPECT_EQ(stages[0].backward_flops(1), 0.0);
}

TEST(cost, smashed_data_of_vit_base) {
    const auto method = tuned_by({});
    const auto stages =
        make_stages(vit_base, method, 5, {{true, 0, 0, false}, {false, 0, 12, false}, {false, 12, 0, true}});
    EXPECT_EQ(tensor_view::shape_only(stages[0].output_shape(1)).bytes(), 605'184U);
    EXPECT_EQ(tensor_view::shape_only(stages[1].output_shape(1)).bytes(), 3'072U) << "only CLS goes into the head";
    const auto more = make_stages(vit_base, tuned_by({.prompts = 50}), 5, {{true, 0, 6, false}, {false, 6, 6, true}});
    EXPECT_EQ(tensor_view::shape_only(more[0].output_shape(1)).bytes(), 605'184U) << "prompts do not travel";
    EXPECT_FALSE(stages[1].input_gradient) << "nothing trainable at the start point: no gradient goes there";
    EXPECT_TRUE(stages[2].input_gradient);
}

/// Counts the multiply-accumulates of every matrix product and convolution that torch runs.
double counted_mac = 0;

void count_product(const at::RecordFunction& function) {
    const std::string name = function.name();
    const auto inputs = function.inputs();
    const auto size = [&](std::size_t input, std::int64_t dimension) {
        return static_cast<double>(inputs[input].toTensor().size(dimension));
    };
    if (name == "aten::mm") {
        counted_mac += size(0, 0) * size(0, 1) * size(1, 1);
    } else if (name == "aten::addmm") {
        counted_mac += size(1, 0) * size(1, 1) * size(2, 1);
    } else if (name == "aten::addmv" || name == "aten::addmv_") { // and within aten::mv
        counted_mac += size(1, 0) * size(1, 1);
    } else if (name == "aten::bmm") {
        counted_mac += size(0, 0) * size(0, 1) * size(0, 2) * size(1, 2);
    } else if (name == "aten::baddbmm") {
        counted_mac += size(1, 0) * size(1, 1) * size(1, 2) * size(2, 2);
    } else if (name == "aten::convolution_backward") {
        const auto& images = inputs[1].toTensor();
        const auto& kernel = inputs[2].toTensor();
        const auto wanted = inputs[10].toBoolList(); // gradients of images, kernel, bias
        const auto stride = inputs[4].toIntVector()[0];
        counted_mac += static_cast<double>(images.size(0) * (images.size(2) / stride) * (images.size(3) / stride)) *
                       static_cast<double>(kernel.numel()) * ((wanted[0] ? 1 : 0) + (wanted[1] ? 1 : 0));
    } else if (name == "aten::convolution") {
        const auto& images = inputs[0].toTensor();
        const auto& kernel = inputs[1].toTensor();
        const auto stride = inputs[3].toIntVector()[0];
        counted_mac += static_cast<double>(images.size(0) * (images.size(2) / stride) * (images.size(3) / stride)) *
                       static_cast<double>(kernel.numel());
    }
}

class counting {
public:
    counting()
        : handle_(at::addGlobalCallback(at::RecordFunctionCallback([](const at::RecordFunction& function) {
                                            count_product(function);
                                            return std::unique_ptr<at::ObserverContext>();
                                        })
                                            .needsInputs(true)
                                            .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}))) {
        counted_mac = 0;
    }
    ~counting() { at::removeCallback(handle_); }

private:
    at::CallbackHandle handle_;
};

/// Stages of a small model, with inputs that have the right shapes.
struct bench {
    counted_operations counted; ///< What is charged is what torch's own operations compute and keep.
    explicit bench(std::shared_ptr<const foundation_model> its_model, std::int64_t its_count,
                   const std::vector<stage_cut>& cuts = {{true, 0, 1, false},
                                                         {false, 1, 2, false},
                                                         {false, 3, 0, true}},
                   tuning_settings tuning = {.prompts = 3}, std::int64_t classes = lab::classes)
        : model(std::move(its_model))
        , count(its_count) {
        set_torch_threads(1);
        method = tuned_by(tuning);
        specs = make_stages(model, method, classes, cuts);
        const auto backbone = lab::random_backbone(model);
        source = std::make_shared<lab::random_samples>(model, 0, count, classes);
        for (const auto& spec : specs) {
            stages.push_back(std::make_unique<torch_stage>(spec, backbone, optimizer_settings{}, source));
            stages.back()->load(initial_values(spec.tunables(), 1, lab::weights_of(backbone)));
        }
        micro = {0, 0, 0, count, count};
        labels = source->labels(micro);
    }

    std::shared_ptr<const foundation_model> model;
    std::int64_t count;
    std::shared_ptr<const tuning_method> method;
    std::vector<stage_spec> specs;
    std::shared_ptr<lab::random_samples> source;
    std::vector<std::unique_ptr<torch_stage>> stages;
    micro_batch micro;
    tensor_view labels;
};

void compare_flops(const bench& chain) {
    tensor_view tokens;
    for (std::size_t s = 0; s < chain.stages.size(); ++s) {
        const counting watch;
        tokens = chain.stages[s]->run(
            {.operation = stage_operation::forward, .micro = chain.micro, .input = tokens, .labels = chain.labels});
        EXPECT_DOUBLE_EQ(2 * counted_mac, chain.specs[s].forward_flops(chain.count)) << "forward of stage " << s;
    }
    tensor_view gradient;
    for (std::size_t s = chain.stages.size(); s-- > 0;) {
        if (!chain.specs[s].runs_backward()) {
            EXPECT_EQ(chain.specs[s].backward_flops(chain.count), 0.0);
            continue;
        }
        const counting watch;
        gradient =
            chain.stages[s]->run({.operation = stage_operation::backward, .micro = chain.micro, .input = gradient});
        EXPECT_DOUBLE_EQ(2 * counted_mac, chain.specs[s].backward_flops(chain.count)) << "backward of stage " << s;
    }
}

std::string text_of(const tuning_settings& settings) {
    std::string text = settings.method;
    for (const auto layer : settings.targets) {
        text += " " + std::to_string(static_cast<int>(layer));
    }
    return text;
}

const std::vector<std::vector<stage_cut>> some_cuts{{{true, 0, 1, false}, {false, 1, 2, false}, {false, 3, 0, true}},
                                                    {{true, 0, 0, false}, {false, 0, 2, false}, {false, 2, 1, true}},
                                                    {{true, 0, 3, true}}};

TEST(cost, flops_are_what_torch_computes) {
    for (const auto& settings : lab::every_tuning()) {
        for (const auto& cuts : some_cuts) {
            SCOPED_TRACE(text_of(settings) + ", stages " + std::to_string(cuts.size()));
            compare_flops(bench(make_vit(32, 4, 48, 3, 3), 5, cuts, settings));
        }
    }
}

TEST(cost, flops_of_models_of_texts_are_what_torch_computes) {
    for (const auto& family : lab::text_families) {
        const auto model = make_model(lab::text_scenario(family));
        for (const auto& settings : lab::every_tuning_of(*model)) {
            for (const auto& cuts : some_cuts) {
                SCOPED_TRACE(family + ", " + text_of(settings) + ", stages " + std::to_string(cuts.size()));
                compare_flops(bench(model, 5, cuts, settings));
                if (model->causal()) {
                    compare_flops(bench(model, 5, cuts, settings, no_classes));
                }
            }
        }
    }
}

/// By hand: products of a token's values with every matrix of a block, then its scores with all tokens and the mix of their
/// values. Nothing is trained, so a backward has none.
TEST(cost, flops_of_models_of_texts_by_hand) {
    const double d = 24, t = 9, hidden = 40, kv = 8, n = 7;
    const std::map<std::string, double> of_a_token{
        {"llama", d * d + 2 * d * kv + d * d + 3 * d * hidden}, // query, key and value, projection; gate, up, down
        {"gpt2", 4 * d * d + 2 * d * hidden},
        {"bert", 4 * d * d + 2 * d * hidden}};
    for (const auto& [family, mac] : of_a_token) {
        const auto model = make_model(lab::text_scenario(family));
        const auto stages = make_stages(model, tuned_by({.method = "head"}), lab::classes,
                                        {{true, 0, 0, false}, {false, 0, 2, false}, {false, 2, 1, true}});
        EXPECT_EQ(stages[0].forward_flops(7), 0.0) << "rows are looked up";
        EXPECT_EQ(stages[1].forward_flops(7), 2 * n * 2 * (t * mac + 2 * t * t * d)) << family;
        const auto pooler = family == "bert" ? d * d : 0.0;
        EXPECT_EQ(stages[2].forward_flops(7), 2 * n * (t * mac + 2 * t * t * d + pooler + d * lab::classes)) << family;
        EXPECT_EQ(stages[1].backward_flops(7), 0.0);
        EXPECT_EQ(stages[2].backward_flops(7), 2 * n * d * lab::classes);
        // Everything is trained: two products for each of the forward, but scores and mix, of which both factors have
        // gradients anyway.
        const auto full =
            make_stages(model, tuned_by({.method = "full"}), lab::classes, {{true, 0, 1, false}, {false, 1, 2, true}});
        EXPECT_EQ(full[0].backward_flops(7), 2 * n * 2 * (t * mac + 2 * t * t * d)) << family;
        EXPECT_EQ(tensor_view::shape_only(stages[0].output_shape(1)).bytes(), 9U * 24 * 4);
        if (!model->causal()) {
            continue;
        }
        // Next tokens: every token passes the output layer, and all that its chain sends stays [tokens, dim].
        const auto teller = make_stages(model, tuned_by({.method = "head"}), no_classes,
                                        {{true, 0, 1, false}, {false, 1, 1, false}, {false, 2, 0, true}});
        const auto vocabulary = static_cast<double>(model->vocabulary());
        EXPECT_EQ(teller[1].output_shape(7), (std::vector<std::int64_t>{7, 9, 24}));
        EXPECT_EQ(teller[2].forward_flops(7), 2 * n * t * d * vocabulary) << family;
        EXPECT_EQ(teller[2].backward_flops(7), 2 * n * t * d * vocabulary) << "gradient of the layer alone";
        const auto frozen_teller = make_stages(model, tuned_by({.method = "lora", .rank = 2}), no_classes,
                                               {{true, 0, 2, false}, {false, 2, 0, true}});
        EXPECT_EQ(frozen_teller[1].backward_flops(7), 2 * n * t * d * vocabulary) << "gradient of its input alone";
        EXPECT_EQ(frozen_teller[1].tunable_elements(), 0);
    }
}

void compare_memory(bench& chain) {
    tensor_view tokens;
    for (std::size_t s = 0; s < chain.stages.size(); ++s) {
        const auto& spec = chain.specs[s];
        SCOPED_TRACE("stage " + std::to_string(s) + (spec.cut().head ? " with the head" : ""));
        // The input was allocated before, by its sender, and images come from another allocator.
        const auto given = tokens;
        const bool images = spec.cut().embedding && !chain.method->of_embedding(*chain.model).empty();
        const auto sample = chain.model->takes_tokens() ? 8 : 4;
        // Without a norm before it, a tuned layer keeps what came in.
        const auto first = chain.method->change(*chain.model, 0);
        const bool as_it_is = chain.model->shape().post_norm && !spec.cut().embedding &&
                              chain.model->cost_of_block(first, false).keeps_input;
        const auto input = spec.input_gradient || as_it_is ? static_cast<double>(given.bytes())
                           : images ? static_cast<double>(chain.count * chain.model->sample_values() * sample)
                                    : 0.0;
        allocation_meter meter;
        tokens = chain.stages[s]->run({.operation = stage_operation::forward,
                                       .micro = chain.micro,
                                       .input = std::move(tokens),
                                       .labels = chain.labels});
        const auto retained = static_cast<double>(spec.retained_bytes(chain.count)) - input;
        // A head keeps a few kilobytes; torch's own bookkeeping is larger. Nor does what keeps nothing tell much.
        if (spec.cut().blocks == 0 || !spec.runs_backward() || chain.method->of_block(*chain.model, 0).empty()) {
            continue;
        }
        const auto peak = retained + static_cast<double>(spec.workspace_bytes(chain.count));
        EXPECT_NEAR(static_cast<double>(meter.current()) / retained, 1.0, 0.02) << "kept";
        EXPECT_NEAR(static_cast<double>(meter.peak()) / peak, 1.0, 0.25) << "peak";
    }
}

TEST(cost, memory_is_what_torch_allocates) {
    const auto model = make_vit(64, 8, 96, 3, 3);
    for (const auto& settings : lab::every_tuning()) {
        for (const auto& cuts : some_cuts) {
            SCOPED_TRACE(text_of(settings) + ", stages " + std::to_string(cuts.size()));
            bench chain(model, 8, cuts, settings);
            compare_memory(chain);
        }
    }
}

TEST(cost, memory_of_models_of_texts_is_what_torch_allocates) {
    for (const auto& family : lab::text_families) {
        auto scene = lab::text_scenario(family);
        scene.model.tokens = 64;
        scene.model.positions = 128;
        scene.model.dim = 96;
        scene.model.hidden = 256;
        const auto model = make_model(scene);
        for (const auto& settings : lab::every_tuning_of(*model)) {
            for (const auto& cuts : some_cuts) {
                SCOPED_TRACE(family + ", " + text_of(settings) + ", stages " + std::to_string(cuts.size()));
                for (const auto classes : {lab::classes, no_classes}) {
                    if (classes == no_classes && !model->causal()) {
                        continue;
                    }
                    bench chain(model, 8, cuts, settings, classes);
                    // Rotary angles are made once, and are no sample's.
                    chain.stages[0]->run({.operation = stage_operation::infer, .micro = chain.micro});
                    compare_memory(chain);
                }
            }
        }
    }
}

/// As Hugging Face's models count them: parameters() of GPT2LMHeadModel, BertModel, LlamaForCausalLM, Qwen2ForCausalLM.
TEST(cost, parameters_of_published_models_of_texts) {
    const std::map<std::string, std::int64_t> published{{"gpt2", 124'439'808},
                                                        {"gpt2_medium", 354'823'168},
                                                        {"bert_base", 109'482'240},
                                                        {"tinyllama", 1'100'048'384},
                                                        {"qwen2.5_0.5b", 494'032'768}};
    for (const auto& [preset, parameters] : published) {
        const auto scene = read_scenario(parse_command_line({"finetune", "--model.preset", preset.c_str()}, {}).values);
        EXPECT_EQ(elements_of(make_model(scene)->tensors()), parameters) << preset;
    }
}

} // namespace
} // namespace gaisnet
