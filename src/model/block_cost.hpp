#pragma once

#include "model/tuning_method.hpp"
#include "model/vit/vit_config.hpp"

#include <cstdint>

namespace gaisnet {

/// Cost of one block per sample. MAC: multiply-accumulates of matrix products; norms, GELU, softmax and additions are
/// not counted.
struct block_cost {
    double forward_mac = 0;
    double backward_mac = 0;      ///< Products for the required gradients of inputs and tunable weights.
    std::int64_t retained = 0;    ///< Values that autograd keeps from the forward to the backward.
    std::int64_t workspace = 0;   ///< Largest number of temporary values in the forward.
    bool output_gradient = false; ///< Whether something in or before the block is tunable.
};

/// Adds up the block's operations and decides for each whether the gradient of its input is needed. \param
/// input_gradient whether something before the block is tunable.
block_cost cost_of_block(const vit_config&, const block_change&, bool input_gradient);

/// Temporary values of a block's largest operation when nothing is kept for a backward: input and output of GELU, or
/// scores and probabilities in addition to queries, keys and values, and the residual stream.
std::int64_t inference_workspace(const vit_config&, const block_change&);

} // namespace gaisnet
