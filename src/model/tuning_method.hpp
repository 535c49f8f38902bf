#pragma once

#include "model/vit_config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace at {
class Tensor; // Methods are the only place where the ledger's side and torch's side of a model meet.
}

namespace gaisnet {

/// How the values of a new tunable tensor are drawn.
struct tensor_init {
    enum class family { zeros, uniform, normal };
    family kind = family::zeros;
    double scale = 0.0; ///< uniform: [-scale, scale); normal: standard deviation
};

/// A tensor that is trained, and travels between edge and clients.
struct tunable_spec {
    tensor_spec tensor; ///< Its name is unique in the model and holds the block's index: FedAvg matches by name.
    tensor_init init;
};

/// Runs the frozen Transformer block number `block` on tokens [batch, tokens, dim].
using block_function = std::function<at::Tensor(const at::Tensor&)>;

/// A parameter-efficient tuning method: which tensors are tunable, how a block's forward changes, how many tokens it
/// computes. The MLP head is tunable under every method and does not belong to it. One file a method.
class tuning_method {
public:
    virtual ~tuning_method() = default;
    virtual std::string_view name() const = 0;

    /// Tunable tensors of one block.
    virtual std::vector<tunable_spec> tunables(const vit_config&, std::int64_t block) const = 0;
    /// Tokens that the block computes beyond CLS and patches.
    virtual std::int64_t extra_tokens(std::int64_t block) const = 0;
    /// The block's output [batch, tokens, dim] for its input of the same shape.
    /// Of the type of `tokens`, which is bfloat16 where blocks compute in it.
    /// \param tunables the block's tensors in the order of tunables(), float32. \param frozen runs the block itself.
    virtual at::Tensor forward(const vit_config&, std::int64_t block, const at::Tensor& tokens,
                               const std::vector<at::Tensor>& tunables, const block_function& frozen) const = 0;
};

struct tuning_settings {
    std::string method;
    std::int64_t prompts = 10;
};

/// \throws usage_error for an unknown method, naming those that exist.
std::shared_ptr<const tuning_method> make_tuning_method(const tuning_settings&);

} // namespace gaisnet
