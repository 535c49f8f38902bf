#pragma once

// Models in folders of tests/golden, with what transformers computes with them (tests/golden/make_language_golden.py).

#include "model/files/safetensors.hpp"
#include "model/files/weight_store.hpp"
#include "model/torch/backbone.hpp"
#include "scenario/scenario.hpp"
#include "settings/options.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// What the command line tells and a folder of weights adds.
inline scenario scenario_of(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "finetune");
    return read_scenario(parse_command_line(arguments, {}).values);
}

class golden_folder {
public:
    explicit golden_folder(const std::string& name, const std::vector<std::string>& more = {})
        : path(std::string(GAISNET_TEST_DATA) + "/" + name)
        , results(path + "/golden.safetensors") {
        std::vector<std::string> arguments{"--model.weights", path};
        arguments.insert(arguments.end(), more.begin(), more.end());
        scene = scenario_of(arguments);
        model = make_model(scene);
        store = weight_store::open(path, model, testing::TempDir());
        backbone = std::make_shared<model_backbone>(make_backbone(model, [this](const tensor_spec& spec) {
            return at::from_blob(const_cast<float*>(store->tensor(spec.name).data()), spec.shape).clone();
        }));
    }

    /// golden.NAME; whole numbers are int64.
    at::Tensor operator[](const std::string& name) const {
        const auto& entry = results.at("golden." + name);
        if (entry.dtype == "I64") {
            const auto values = results.int64(entry.name);
            auto out = at::empty(entry.shape, at::kLong);
            std::copy(values.begin(), values.end(), out.data_ptr<std::int64_t>());
            return out;
        }
        auto out = at::empty(entry.shape);
        results.read_float32(entry.name,
                             std::span<float>(out.data_ptr<float>(), static_cast<std::size_t>(out.numel())));
        return out;
    }

    /// Its weights, each once, by name.
    std::vector<std::pair<tensor_spec, at::Tensor>> weights() const {
        auto all = backbone->embedding;
        for (const auto& block : backbone->blocks) {
            all.insert(all.end(), block.begin(), block.end());
        }
        all.insert(all.end(), backbone->norm.begin(), backbone->norm.end());
        if (!model->tied_output()) {
            all.insert(all.end(), backbone->output.begin(), backbone->output.end());
        }
        std::vector<std::pair<tensor_spec, at::Tensor>> named;
        const auto specs = model->tensors();
        for (std::size_t i = 0; i < specs.size(); ++i) {
            named.emplace_back(specs[i], all[i]);
        }
        return named;
    }

    std::string path;
    safetensors_file results;
    scenario scene;
    std::shared_ptr<const foundation_model> model;
    std::shared_ptr<const weight_store> store;
    std::shared_ptr<const model_backbone> backbone;
};

inline void expect_near(const at::Tensor& a, const at::Tensor& b, double tolerance) {
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_LE((a.detach() - b).abs().max().item<double>(), tolerance);
}

} // namespace gaisnet
