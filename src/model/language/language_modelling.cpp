#include "model/language/language_modelling.hpp"

#include "base/random.hpp"
#include "data/batch_loader.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

/// Cross entropy of each token of [n, tokens, vocabulary]; 0 of those that are ignored.
at::Tensor losses_of(const at::Tensor& logits, const at::Tensor& wanted) {
    return at::cross_entropy_loss(logits.flatten(0, 1), wanted.flatten(), {}, at::Reduction::None)
        .reshape(wanted.sizes());
}

class next_token_modelling final : public pretraining_objective {
public:
    std::string description() const override { return "next tokens"; }
    std::string said(double loss, double accuracy) const override {
        return fmt::format("training loss {:.4f} nats a token, perplexity {:.4f}, token accuracy {:.4f}", loss,
                           std::exp(loss), accuracy);
    }
    result evaluate(const model_backbone& backbone, const pretraining_batch& batch) const override {
        const auto tokens = backbone.run_blocks(backbone.embed(batch.inputs));
        const auto logits = backbone.logits(backbone.normalise(tokens));
        const auto counted = batch.labels.ne(ignored_token);
        const auto loss = losses_of(logits, batch.labels).sum(1) / counted.sum(1);
        return {loss.sum(), logits.argmax(2).eq(batch.labels).sum().item<std::int64_t>(),
                counted.sum().item<std::int64_t>()};
    }
};

class masked_tokens final : public pretraining_objective {
public:
    masked_tokens(const foundation_model& model, masking_rule rule)
        : rule_(std::move(rule))
        , bias_(at::zeros({model.vocabulary()}).requires_grad_(true)) {}

    std::string description() const override { return fmt::format("{:g} of the tokens masked", rule_.ratio); }
    std::string said(double loss, double accuracy) const override {
        return fmt::format("training loss {:.4f} nats a masked token, accuracy {:.4f}", loss, accuracy);
    }
    std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return {{"decoder.bias", bias_}}; }

    void draw(pretraining_batch& batch, const std::vector<std::string>& names, std::uint32_t epoch) const override {
        batch.masked = at::zeros_like(batch.inputs, at::kBool);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            const auto filled = batch.padding.defined() ? batch.padding[row].item<std::int64_t>() : 0;
            const auto* tokens = batch.inputs[row].data_ptr<std::int64_t>();
            std::vector<std::int64_t> places;
            for (std::int64_t place = 0; place < batch.inputs.size(1) - filled; ++place) {
                if (std::find(rule_.kept.begin(), rule_.kept.end(), tokens[place]) == rule_.kept.end()) {
                    places.push_back(place);
                }
            }
            if (places.empty()) {
                places.push_back(0);
            }
            const auto order = random_stream(rule_.seed, "pretrain.mask", names[i], epoch).permutation(places.size());
            const auto count = std::max<std::size_t>(
                1, static_cast<std::size_t>(std::llround(rule_.ratio * static_cast<double>(places.size()))));
            for (std::size_t k = 0; k < std::min(count, places.size()); ++k) {
                batch.masked[row].data_ptr<bool>()[places[order[k]]] = true;
            }
        }
    }

    result evaluate(const model_backbone& backbone, const pretraining_batch& batch) const override {
        const auto seen = at::where(batch.masked, at::full_like(batch.inputs, rule_.mask), batch.inputs);
        const auto tokens = backbone.run_blocks(backbone.embed(seen), batch.padding);
        const auto logits = at::linear(tokens, backbone.embedding.front(), bias_);
        const auto wanted = at::where(batch.masked, batch.inputs, at::full_like(batch.inputs, ignored_token));
        const auto loss = losses_of(logits, wanted).sum(1) / batch.masked.sum(1);
        return {loss.sum(), logits.argmax(2).eq(wanted).sum().item<std::int64_t>(),
                batch.masked.sum().item<std::int64_t>()};
    }

private:
    masking_rule rule_;
    at::Tensor bias_;
};

} // namespace

std::unique_ptr<pretraining_objective> make_next_token_modelling() { return std::make_unique<next_token_modelling>(); }

std::unique_ptr<pretraining_objective> make_masked_tokens(const foundation_model& model, const masking_rule& rule) {
    return std::make_unique<masked_tokens>(model, rule);
}

} // namespace gaisnet
