#pragma once

#include "model/tuning_method.hpp"
#include "model/vit/vit_config.hpp"

#include <cstdint>

namespace gaisnet {

/// What one block costs a sample. MAC: multiply-accumulates of matrix products; norms, GELU, softmax and additions are
/// not counted.
struct block_cost {
    double forward_mac = 0;
    double backward_mac =
        0; ///< Products for gradients of inputs and of tunable weights, as far as somebody wants them.
    std::int64_t retained = 0;    ///< Values that autograd keeps from the forward to the backward.
    std::int64_t workspace = 0;   ///< Values at the widest moment of the forward.
    bool output_gradient = false; ///< Something in or before the block is tunable.
};

/// Walks through the block's operations and notes for each whether its input's gradient is wanted.
/// \param input_gradient something before the block is tunable.
block_cost cost_of_block(const vit_config&, const block_change&, bool input_gradient);

/// Values that the largest operation of a block needs in passing when nothing is kept for a backward: input and output
/// of GELU, or scores and probabilities beside queries, keys and values, and the residual stream.
std::int64_t inference_workspace(const vit_config&, const block_change&);

} // namespace gaisnet
