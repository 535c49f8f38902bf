#include "model/torch/tuned_part.hpp"

#include "model/torch/members.hpp"

namespace gaisnet {

at::Tensor tuned_part::embed(weights_view tunables, const at::Tensor& samples, std::int64_t past) const {
    const auto& model = spec_->model();
    const auto count = spec_->method().of_embedding(model).size();
    // Prompts of a causal model stand before all of its tokens and have the first positions; a cache counts them.
    const bool prompted = past == 0 && model.takes_tokens() && model.leading_tokens() == 0;
    const auto first_position = prompted ? spec_->method().change(model, 0).prompts : past;
    if (count == 0) {
        return backbone_->embed(samples, first_position);
    }
    return of_each_member(tunables.first(count), samples, [&](std::vector<at::Tensor> weights, const at::Tensor& some) {
        for (auto& one : weights) {
            one = one.to(backbone_->type());
        }
        return backbone_->forward->embed(weights, some, first_position);
    });
}

at::Tensor tuned_part::run_blocks(weights_view tunables, at::Tensor tokens, const at::Tensor& padding,
                                  std::span<attention_cache> caches) const {
    const auto& method = spec_->method();
    const auto& cut = spec_->cut();
    std::size_t next = cut.embedding ? method.of_embedding(spec_->model()).size() : 0;
    tokens = tokens.to(backbone_->type());
    for (auto block = cut.first_block; block < cut.first_block + cut.blocks; ++block) {
        const auto count = method.of_block(spec_->model(), block).size();
        tokens = method.forward(backbone_->block(block, {padding, cache_of(caches, block - cut.first_block)}), tokens,
                                tunables.subspan(next, count));
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

at::Tensor tuned_part::features(weights_view tunables, const at::Tensor& pooled) const {
    const auto norms = spec_->method().of_norm(spec_->model()).size();
    if (norms == 0) {
        return backbone_->normalise(pooled);
    }
    return of_each_member(tunables.last(of_head() + norms).first(norms), pooled,
                          [&](const std::vector<at::Tensor>& weights, const at::Tensor& some) {
                              return backbone_->forward->normalise(weights, some);
                          });
}

at::Tensor tuned_part::predict(weights_view tunables, const at::Tensor& pooled) const {
    const auto head = tunables.last(of_head());
    const auto normal = features(tunables, pooled);
    if (!spec_->tells_tokens()) {
        return affine_of_members(normal, head[0], head[1]);
    }
    if (head.empty()) {
        return backbone_->logits(normal);
    }
    return of_each_member(head, normal, [&](const std::vector<at::Tensor>& weights, const at::Tensor& some) {
        return backbone_->forward->logits(weights, some);
    });
}

} // namespace gaisnet
