#include "model/vit/tuned_vit.hpp"

namespace gaisnet {

tuned_vit::tuned_vit(std::shared_ptr<const vit_backbone> backbone, std::shared_ptr<const tuning_method> method,
                     std::int64_t classes)
    : spec_(std::make_unique<const stage_spec>(whole_model(backbone->config, std::move(method), classes)))
    , part_(*spec_, std::move(backbone)) {}

void tuned_vit::load(const tensor_view& modules) { part_.load(modules); }

at::Tensor tuned_vit::cls(const at::Tensor& images) const { return cls_of(part_.run_blocks(part_.embed(images))); }

at::Tensor tuned_vit::features(const at::Tensor& images) const { return part_.features(cls(images)); }

at::Tensor tuned_vit::forward(const at::Tensor& images) const { return classify(cls(images)); }

} // namespace gaisnet
