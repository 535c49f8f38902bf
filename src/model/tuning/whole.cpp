#include "model/torch/members.hpp"
#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

namespace {

/// Tunables that begin as the output layer of the foundation model.
std::vector<tunable_spec> whole_output(const foundation_model& model) {
    std::vector<tunable_spec> out;
    for (const auto& weight : model.output_tensors()) {
        out.push_back({{"output.weight", weight.shape}, {tensor_init::family::pretrained, 0.0, weight.name}});
    }
    return out;
}

/// Tunes only the head for classes: nothing where next tokens are told.
class frozen : public tuning_method {
public:
    block_change change(const foundation_model&, std::int64_t) const override { return {}; }
    std::vector<tunable_spec> of_block(const foundation_model&, std::int64_t) const override { return {}; }
    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor>) const override {
        return block(tokens);
    }
};

/// Tunes only the head, or the output layer.
class head_only final : public frozen {
public:
    std::vector<tunable_spec> of_output(const foundation_model& model) const override { return whole_output(model); }
};

std::vector<tunable_spec> pretrained(const std::vector<tensor_spec>& tensors) {
    std::vector<tunable_spec> out;
    for (const auto& tensor : tensors) {
        out.push_back({tensor, {tensor_init::family::pretrained}});
    }
    return out;
}

/// Tunes the head and all weights of the backbone, under their own names but for the output layer.
class full final : public tuning_method {
public:
    block_change change(const foundation_model&, std::int64_t) const override { return {.weights = true}; }
    std::vector<tunable_spec> of_block(const foundation_model& model, std::int64_t block) const override {
        return pretrained(model.block_tensors(block));
    }
    std::vector<tunable_spec> of_embedding(const foundation_model& model) const override {
        return pretrained(model.embedding_tensors());
    }
    std::vector<tunable_spec> of_norm(const foundation_model& model) const override {
        return pretrained(model.norm_tensors());
    }
    std::vector<tunable_spec> of_output(const foundation_model& model) const override { return whole_output(model); }

    at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                       std::span<const at::Tensor> tunables) const override {
        return of_each_member(tunables, tokens, [&](std::vector<at::Tensor> weights, const at::Tensor& some) {
            for (auto& one : weights) {
                one = one.to(some.scalar_type());
            }
            return block.with_weights(weights, some);
        });
    }
};

template <typename Method>
std::shared_ptr<const tuning_method> make_whole(const scenario&) {
    return std::make_shared<Method>();
}
const registration<tuning_entry> registered_none{{"none", make_whole<frozen>}};
const registration<tuning_entry> registered_head{{"head", make_whole<head_only>}};
const registration<tuning_entry> registered_full{{"full", make_whole<full>}};

} // namespace

} // namespace gaisnet
