#include "model/family.hpp"

#include "base/registry.hpp"
#include "model/files/backbone_match.hpp"
#include "model/stage_executor.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

std::vector<tensor_spec> foundation_model::tensors() const {
    auto all = embedding_tensors();
    for (std::int64_t block = 0; block < depth(); ++block) {
        for (auto& spec : block_tensors(block)) {
            all.push_back(std::move(spec));
        }
    }
    for (auto& spec : norm_tensors()) {
        all.push_back(std::move(spec));
    }
    if (!tied_output()) {
        for (auto& spec : output_tensors()) {
            all.push_back(std::move(spec));
        }
    }
    return all;
}

bool foundation_model::has(block_linear layer) const { return layer != block_linear::gate || shape().gated; }

linear_layer foundation_model::linear(block_linear layer) const {
    const auto d = dim(), hidden = shape().hidden, kv = shape().kv_dim();
    switch (layer) {
    case block_linear::query: return {"attn.query", d, d};
    case block_linear::key: return {"attn.key", d, kv};
    case block_linear::value: return {"attn.value", d, kv};
    case block_linear::projection: return {"attn.proj", d, d};
    case block_linear::gate: return {"mlp.gate", d, hidden};
    case block_linear::fc1: return {"mlp.fc1", d, hidden};
    case block_linear::fc2: break;
    }
    return {"mlp.fc2", hidden, d};
}

block_cost foundation_model::cost_of_block(const block_change& change, bool input_gradient) const {
    return cost_of_attention_block(shape(), change, input_gradient);
}

std::int64_t foundation_model::inference_workspace(const block_change& change) const {
    return workspace_of_attention_block(shape(), change);
}

namespace {

block_shape shape_of(block_shape shape, const token_step& step) {
    shape.tokens = step.tokens;
    return shape;
}

/// Of a later step: prompts are among the tokens that are kept.
block_change without_prompts(block_change change) {
    change.prompts = 0;
    change.own_prompts = false;
    return change;
}

} // namespace

double foundation_model::step_mac(const block_change& change, const token_step& step) const {
    if (step.past == 0) {
        return cost_of_attention_block(shape_of(shape(), step), change, false).forward_mac;
    }
    const auto kept = static_cast<double>(step.past + change.prompts); // scores, and the mix of values
    return cost_of_attention_block(shape_of(shape(), step), without_prompts(change), false).forward_mac +
           2.0 * static_cast<double>(step.tokens * dim()) * kept;
}

std::int64_t foundation_model::step_workspace(const block_change& change, const token_step& step) const {
    if (step.past == 0) {
        return workspace_of_attention_block(shape_of(shape(), step), change);
    }
    const auto scores = 2 * shape().heads * step.tokens * (step.past + change.prompts); // and probabilities
    return workspace_of_attention_block(shape_of(shape(), step), without_prompts(change)) + scores;
}

backbone_match foundation_model::match(const safetensors_file& file) const { return match_backbone(file, *this, {}); }

std::shared_ptr<const foundation_model> make_model(const scenario& scene) {
    return registry<family_entry>::at(scene.model.family, "model.family").make(scene);
}

} // namespace gaisnet
