#include "model/torch/tuned_model.hpp"

namespace gaisnet {

tuned_model::tuned_model(std::shared_ptr<const model_backbone> backbone, std::shared_ptr<const tuning_method> method,
                         std::int64_t classes)
    : spec_(std::make_unique<const stage_spec>(whole_model(backbone->model, std::move(method), classes)))
    , part_(*spec_, std::move(backbone)) {}

void tuned_model::load(const tensor_view& modules) { part_.load(modules); }

at::Tensor tuned_model::pooled(const at::Tensor& samples, const at::Tensor& padding) const {
    return part_.backbone().pool(part_.run_blocks(part_.embed(samples), padding), padding);
}

at::Tensor tuned_model::features(const at::Tensor& samples) const { return part_.features(pooled(samples)); }

at::Tensor tuned_model::forward(const at::Tensor& samples, const at::Tensor& padding) const {
    return classify(pooled(samples, padding));
}

} // namespace gaisnet
