#include "model/torch/backbone.hpp"

#include "base/registry.hpp"

namespace gaisnet {

// A copy, because for a view autograd would keep all tokens alive.
at::Tensor family_forward::pool(const at::Tensor& tokens) const { return tokens.select(1, 0).clone(); }

at::Tensor model_backbone::run_blocks(at::Tensor tokens) const {
    for (std::int64_t number = 0; number < model->depth(); ++number) {
        tokens = block(number)(tokens);
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
    out.model = std::move(model);
    return out;
}

} // namespace gaisnet
