#include "model/tuned_vit.hpp"

#include "model/torch_support.hpp"

namespace gaisnet {

tuned_vit::tuned_vit(std::shared_ptr<const vit_backbone> backbone, std::shared_ptr<const tuning_method> method,
                     std::int64_t classes)
    : backbone_(std::move(backbone))
    , method_(std::move(method))
    , tunables_(model_tunables(backbone_->config, *method_, classes))
    , parameters_(make_parameters(tunables_, backbone_->device())) {}

void tuned_vit::load(const tensor_view& modules) { load_parameters(parameters_, modules); }

at::Tensor tuned_vit::forward(const at::Tensor& images) const {
    auto tokens = backbone_->embed(images);
    std::size_t next = 0;
    for (std::int64_t block = 0; block < backbone_->config.depth; ++block) {
        const auto count = method_->tunables(backbone_->config, block).size();
        const std::vector<at::Tensor> own(parameters_.begin() + static_cast<std::ptrdiff_t>(next),
                                          parameters_.begin() + static_cast<std::ptrdiff_t>(next + count));
        next += count;
        tokens = method_->forward(backbone_->config, block, tokens, own,
                                  [&](const at::Tensor& in) { return backbone_->block(block, in); });
    }
    return at::linear(backbone_->normalise(cls_of(tokens)), parameters_[next], parameters_[next + 1]);
}

} // namespace gaisnet
