#include "model/torch/backbone.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"
#include "model/torch/attention.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace gaisnet {

std::pair<at::Tensor, at::Tensor> attention_cache::extend(const at::Tensor& keys, const at::Tensor& values) {
    const auto before = tokens_;
    tokens_ += keys.size(2);
    const auto extended = [&](at::Tensor& all, const at::Tensor& next) {
        if (!all.defined() || all.size(2) < tokens_) {
            constexpr std::int64_t least_room = 32;
            auto shape = next.sizes().vec();
            shape[2] = before == 0 ? tokens_ + least_room : 2 * tokens_;
            auto larger = at::empty(shape, next.options());
            if (before > 0) {
                larger.narrow(2, 0, before).copy_(all.narrow(2, 0, before));
            }
            all = larger;
        }
        all.narrow(2, before, next.size(2)).copy_(next);
        return all.narrow(2, 0, tokens_);
    };
    return {extended(keys_, keys), extended(values_, values)};
}

// A copy, because for a view autograd would keep all tokens alive.
at::Tensor family_forward::pool(const at::Tensor& tokens, const at::Tensor&) const {
    return tokens.select(1, 0).clone();
}

at::Tensor last_tokens(const at::Tensor& tokens, const at::Tensor& padding) {
    const auto last = tokens.size(1) - 1;
    if (!padding.defined()) {
        return tokens.select(1, last).clone();
    }
    const auto places = (last - padding.to(tokens.device())).view({-1, 1, 1}).expand({-1, 1, tokens.size(2)});
    return tokens.gather(1, places).squeeze(1);
}

at::Tensor family_forward::logits(weights_view output, const at::Tensor& normalised) const {
    ensure(output.size() == 1, "the model has an output layer");
    const auto& weight = output.front();
    const auto input = normalised.to(weight.scalar_type());
    if (input.dim() == 3) {
        return affine(input, weight, {}).to(at::kFloat);
    }
    return affine(input.reshape({-1, 1, input.size(-1)}), weight, {}).to(at::kFloat).reshape([&] {
        auto shape = input.sizes().vec();
        shape.back() = weight.size(0);
        return shape;
    }());
}

at::Tensor model_backbone::run_blocks(at::Tensor tokens, const at::Tensor& padding,
                                      std::span<attention_cache> caches) const {
    for (std::int64_t number = 0; number < model->depth(); ++number) {
        tokens = block(number, {padding, cache_of(caches, number)})(tokens);
    }
    return tokens;
}

model_backbone make_backbone(std::shared_ptr<const foundation_model> model,
                             const std::function<at::Tensor(const tensor_spec&)>& tensor) {
    const auto all = [&](const std::vector<tensor_spec>& specs) {
        std::vector<at::Tensor> tensors;
        for (const auto& spec : specs) {
            tensors.push_back(tensor(spec));
        }
        return tensors;
    };
    model_backbone out;
    out.forward = registry<forward_entry>::at(model->family(), "model.family").make(*model);
    out.embedding = all(model->embedding_tensors());
    for (std::int64_t block = 0; block < model->depth(); ++block) {
        out.blocks.push_back(all(model->block_tensors(block)));
    }
    out.norm = all(model->norm_tensors());
    if (model->tied_output()) {
        const auto embedding = model->embedding_tensors();
        for (const auto& spec : model->output_tensors()) {
            const auto tied = std::find_if(embedding.begin(), embedding.end(),
                                           [&](const tensor_spec& one) { return one.name == spec.name; });
            out.output.push_back(out.embedding.at(static_cast<std::size_t>(tied - embedding.begin())));
        }
    } else {
        out.output = all(model->output_tensors());
    }
    out.model = std::move(model);
    return out;
}

} // namespace gaisnet
