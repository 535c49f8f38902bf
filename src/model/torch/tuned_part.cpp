#include "model/torch/tuned_part.hpp"

#include "model/torch/torch_support.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>

namespace gaisnet {

tuned_part::tuned_part(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone)
    : spec_(&spec)
    , backbone_(std::move(backbone))
    , parameters_(make_parameters(spec.tunables(), backbone_->device())) {}

void tuned_part::load(const tensor_view& modules) { load_parameters(parameters_, modules); }

tensor_view tuned_part::unload() const {
    std::vector<at::Tensor> parts;
    for (const auto& parameter : parameters_) {
        parts.push_back(parameter.detach().reshape({-1}));
    }
    return to_view(at::cat(parts).cpu());
}

at::Tensor tuned_part::embed(const at::Tensor& samples, std::int64_t past) const {
    const auto& model = spec_->model();
    const auto count = spec_->method().of_embedding(model).size();
    // Prompts of a causal model stand before all of its tokens and have the first positions; a cache counts them.
    const bool prompted = past == 0 && model.takes_tokens() && model.leading_tokens() == 0;
    const auto first_position = prompted ? spec_->method().change(model, 0).prompts : past;
    if (count == 0) {
        return backbone_->embed(samples, first_position);
    }
    std::vector<at::Tensor> weights;
    for (const auto& one : own(0, count)) {
        weights.push_back(one.to(backbone_->type()));
    }
    return backbone_->forward->embed(weights, samples, first_position);
}

at::Tensor tuned_part::run_blocks(at::Tensor tokens, const at::Tensor& padding,
                                  std::span<attention_cache> caches) const {
    const auto& method = spec_->method();
    const auto& cut = spec_->cut();
    std::size_t next = cut.embedding ? method.of_embedding(spec_->model()).size() : 0;
    tokens = tokens.to(backbone_->type());
    for (auto block = cut.first_block; block < cut.first_block + cut.blocks; ++block) {
        const auto count = method.of_block(spec_->model(), block).size();
        tokens = method.forward(backbone_->block(block, {padding, cache_of(caches, block - cut.first_block)}), tokens,
                                own(next, count));
        next += count;
    }
    return tokens.to(at::kFloat);
}

at::Tensor tuned_part::pool(const at::Tensor& tokens, const at::Tensor& padding) const {
    if (!spec_->tells_tokens()) {
        return backbone_->pool(tokens, padding);
    }
    const auto told = spec_->predictions(); // prompts stand before
    return tokens.size(1) > told ? tokens.narrow(1, tokens.size(1) - told, told).contiguous() : tokens;
}

std::size_t tuned_part::of_head() const {
    return spec_->tells_tokens() ? spec_->method().of_output(spec_->model()).size() : 2;
}

at::Tensor tuned_part::features(const at::Tensor& pooled) const {
    const auto norms = spec_->method().of_norm(spec_->model()).size();
    return norms == 0 ? backbone_->normalise(pooled)
                      : backbone_->forward->normalise(own(parameters_.size() - of_head() - norms, norms), pooled);
}

at::Tensor tuned_part::predict(const at::Tensor& pooled) const {
    const auto count = of_head();
    const auto head = own(parameters_.size() - count, count);
    if (!spec_->tells_tokens()) {
        return at::linear(features(pooled), head[0], head[1]);
    }
    return count == 0 ? backbone_->logits(features(pooled)) : backbone_->forward->logits(head, features(pooled));
}

} // namespace gaisnet
