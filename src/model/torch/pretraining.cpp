#include "model/torch/pretraining.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

namespace gaisnet {

namespace {

at::Tensor parameter(at::IntArrayRef shape) { return at::zeros(shape).requires_grad_(true); }

class supervised final : public pretraining_objective {
public:
    supervised(const foundation_model& model, std::int64_t classes)
        : weight_(parameter({classes, model.dim()}))
        , bias_(parameter({classes})) {}

    std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
        return {{"head.weight", weight_}, {"head.bias", bias_}};
    }

    result evaluate(const model_backbone& backbone, const pretraining_batch& batch) const override {
        const auto tokens = backbone.run_blocks(backbone.embed(batch.images));
        const auto logits = at::linear(backbone.normalise(backbone.pool(tokens)), weight_, bias_);
        return {at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Sum),
                logits.argmax(1).eq(batch.labels).sum().item<std::int64_t>()};
    }

private:
    at::Tensor weight_, bias_;
};

} // namespace

std::unique_ptr<pretraining_objective> make_supervised(const foundation_model& model, std::int64_t classes) {
    return std::make_unique<supervised>(model, classes);
}

} // namespace gaisnet
