#pragma once

#include "model/average_rule.hpp"
#include "model/family.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace at {
class Tensor; // Only methods connect the ledger's and torch's view of a model.
}

namespace gaisnet {

class frozen_block;

/// How a new tunable tensor is initialised.
struct tensor_init {
    enum class family { zeros, uniform, normal, pretrained };
    family kind = family::zeros;
    double scale = 0.0; ///< uniform: [-scale, scale); normal: standard deviation
    std::string
        weight{}; ///< pretrained: of the foundation model, whose values it takes; empty: the one of its own name.
};

/// A tensor that is trained and is sent between edge and clients.
struct tunable_spec {
    tensor_spec tensor; ///< Its name is unique in the model and contains the block's index: FedAvg matches by name.
    tensor_init init;
};

/// A tuning method: which tensors are tunable, how a forward changes, what it costs. A head for classes is tunable with
/// every method and is not part of it. Each method has one file in model/tuning, and knows no family.
class tuning_method {
public:
    virtual ~tuning_method() = default;

    virtual block_change change(const foundation_model&, std::int64_t block) const = 0;
    /// Number of additional tokens that pass from block to block, so that smashed data grows by them.
    virtual std::int64_t carried_tokens() const { return 0; }

    /// Tunable tensors of one block.
    virtual std::vector<tunable_spec> of_block(const foundation_model&, std::int64_t block) const = 0;
    /// Tunables in place of the tensors of the embedding, and of the final norm: all of them, or none.
    virtual std::vector<tunable_spec> of_embedding(const foundation_model&) const { return {}; }
    virtual std::vector<tunable_spec> of_norm(const foundation_model&) const { return {}; }

    /// The same of the output layer, where it tells next tokens. One that is tied to the embedding begins with its values
    /// and is a tensor of its own from then on, since the two are at different clients.
    virtual std::vector<tunable_spec> of_output(const foundation_model&) const { return {}; }
    /// The method at a client that tunes with a smaller size (node::tuning_size): tensors of the same names, each the first
    /// part of the edge's in one dimension. Null: it has no sizes, or this one is not smaller.
    virtual std::shared_ptr<const tuning_method> of_size(std::int64_t) const { return nullptr; }
    /// How the tensors of of_block() are averaged, in their order. Empty: each by itself, and all clients have all of it.
    virtual std::vector<average_rule> averages(const foundation_model&, std::int64_t /*block*/) const { return {}; }

    /// A block's output [n, tokens, dim], of the same type as `tokens` (bfloat16 if blocks compute in it). \param
    /// tunables the block's tensors in the order of of_block(), float32 [members, shape]: n / members samples of each (see
    /// model/torch/members.hpp).
    virtual at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                               std::span<const at::Tensor> tunables) const = 0;
};

/// The method at a client of this size. \param size 0: the edge's
std::shared_ptr<const tuning_method> sized(const std::shared_ptr<const tuning_method>&, std::int64_t size);

/// The method that tuning.method names, as edges have it: with the largest size of a client.
/// \throws usage_error for a setting that does not fit, or an unknown method, naming those that exist.
std::shared_ptr<const tuning_method> make_tuning_method(const scenario&);

} // namespace gaisnet
