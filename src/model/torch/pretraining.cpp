#include "model/torch/pretraining.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

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

    std::string description() const override { return std::to_string(weight_.size(0)) + " classes"; }
    bool keeps_parameters() const override { return true; }

    result evaluate(const model_backbone& backbone, const pretraining_batch& batch) const override {
        const auto tokens = backbone.run_blocks(backbone.embed(batch.inputs), batch.padding);
        const auto logits = at::linear(backbone.normalise(backbone.pool(tokens, batch.padding)), weight_, bias_);
        return {at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Sum),
                logits.argmax(1).eq(batch.labels).sum().item<std::int64_t>(), batch.labels.size(0)};
    }

private:
    at::Tensor weight_, bias_;
};

} // namespace

std::string pretraining_objective::said(double loss, double accuracy) const {
    return fmt::format("training loss {:.4f}, accuracy {:.4f}", loss, accuracy);
}

void pretraining_objective::draw(pretraining_batch&, const std::vector<std::string>&, std::uint32_t) const {}

std::unique_ptr<pretraining_objective> make_supervised(const foundation_model& model, std::int64_t classes) {
    return std::make_unique<supervised>(model, classes);
}

} // namespace gaisnet
