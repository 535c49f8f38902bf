#pragma once

#include "model/vit/vit_config.hpp"
#include "scenario/tuning.hpp"

#include <array>
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

struct vit_backbone;
class frozen_block;

/// How a new tunable tensor is initialised.
struct tensor_init {
    enum class family { zeros, uniform, normal, pretrained };
    family kind = family::zeros;
    double scale = 0.0; ///< uniform: [-scale, scale); normal: standard deviation
};

/// A tensor that is trained and is sent between edge and clients.
struct tunable_spec {
    tensor_spec tensor; ///< Its name is unique in the model and contains the block's index: FedAvg matches by name.
    tensor_init init;
};

/// The sizes of a method's changes to one block; costs follow from them.
struct block_change {
    std::int64_t prompts = 0; ///< Additional tokens beside CLS and patches.
    bool own_prompts = false; ///< They are tunables of this block; otherwise they come with the input.
    std::int64_t prefix = 0;  ///< Additional tunable keys and values.
    std::array<std::int64_t, block_linears> rank{}; ///< Rank of the low-rank change of each linear layer; 0: none.
    std::int64_t bottleneck = 0;                    ///< Width of the adapters after attention and MLP; 0: none.
    bool weights = false;                           ///< The block's own weights are tunable.

    std::int64_t rank_of(block_linear layer) const { return rank[static_cast<std::size_t>(layer)]; }
};

/// A tuning method: which tensors are tunable, how a forward changes, what it costs. The head is tunable with every
/// method and is not part of it. Each method has one file in model/tuning.
class tuning_method {
public:
    virtual ~tuning_method() = default;

    virtual block_change change(const vit_config&, std::int64_t block) const = 0;
    /// Number of additional tokens that pass from block to block, so that smashed data grows by them.
    virtual std::int64_t carried_tokens() const { return 0; }

    /// Tunable tensors of one block, of the embedding, and of the final norm.
    virtual std::vector<tunable_spec> of_block(const vit_config&, std::int64_t block) const = 0;
    virtual std::vector<tunable_spec> of_embedding(const vit_config&) const { return {}; }
    virtual std::vector<tunable_spec> of_norm(const vit_config&) const { return {}; }

    /// A block's output [n, tokens, dim], of the same type as `tokens` (bfloat16 if blocks compute in it). \param
    /// tunables the block's tensors in the order of of_block(), float32.
    virtual at::Tensor forward(const frozen_block& block, const at::Tensor& tokens,
                               std::span<const at::Tensor> tunables) const = 0;
    /// Maps images to tokens, and CLS [n, dim] to the input of the head. \param tunables in the order of
    /// of_embedding(), of_norm().
    virtual at::Tensor embed(const vit_backbone&, const at::Tensor& images,
                             std::span<const at::Tensor> tunables) const = 0;
    virtual at::Tensor normalise(const vit_backbone&, const at::Tensor& cls,
                                 std::span<const at::Tensor> tunables) const = 0;
};

/// The method that tuning.method names.
/// \throws usage_error for a setting that does not fit, or an unknown method, naming those that exist.
std::shared_ptr<const tuning_method> make_tuning_method(const scenario&);

} // namespace gaisnet
