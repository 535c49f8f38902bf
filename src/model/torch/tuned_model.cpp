#include "model/torch/tuned_model.hpp"

#include "model/torch/torch_support.hpp"

namespace gaisnet {

model_input::model_input(const labelled_batch& batch)
    : samples(to_torch(batch.inputs))
    , padding(batch.padding.empty() || !batch.bytes.empty() ? at::Tensor() : to_torch(batch.padding)) {}

tuned_model::tuned_model(std::shared_ptr<const model_backbone> backbone, std::shared_ptr<const tuning_method> method,
                         std::int64_t classes)
    : spec_(std::make_unique<const stage_spec>(whole_model(backbone->model, std::move(method), classes)))
    , part_(*spec_, std::move(backbone))
    , parameters_(make_parameters(spec_->tunables(), part_.backbone().device())) {}

void tuned_model::load(const tensor_view& modules) { load_parameters(parameters_, modules); }

std::vector<at::Tensor> tuned_model::tunables_of_one() const {
    std::vector<at::Tensor> all;
    for (const auto& parameter : parameters_) {
        all.push_back(parameter.unsqueeze(0));
    }
    return all;
}

at::Tensor tuned_model::pooled(const model_input& input) const {
    const auto padding = input.padding.defined() ? input.padding.to(part_.backbone().device()) : at::Tensor();
    const auto tunables = tunables_of_one();
    return part_.pool(part_.run_blocks(tunables, part_.embed(tunables, input.samples), padding), padding);
}

at::Tensor tuned_model::features(const model_input& input) const {
    return part_.features(tunables_of_one(), pooled(input));
}

at::Tensor tuned_model::forward(const model_input& input) const { return predict(pooled(input)); }

} // namespace gaisnet
