#pragma once

#include "transport/transport.hpp"

#include <ATen/TensorOperators.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace gaisnet {

/// Sums gradients over parts of a batch and over ranks as integers, so that the result is the same bit for bit in any
/// order and on any number of ranks. Fixed point: magnitudes below 2^14, 40 fractional bits, at most 256 parts.
class gradient_sum {
public:
    explicit gradient_sum(const std::vector<at::Tensor>& parameters);

    void clear();
    /// Adds the gradients of these parameters and resets them. A gradient that is not finite or is too large is counted
    /// as bad.
    void take(std::vector<at::Tensor>& parameters);
    /// Sums over all ranks and stores the sums as the parameters' gradients. Every rank has to call it. \returns false
    /// on all ranks if any gradient was bad; then the parameters have no gradients.
    bool exchange(std::vector<at::Tensor>& parameters, transport&, const std::vector<int>& everyone);

private:
    std::size_t elements_ = 0;
    sum_buffer sums_ = std::make_shared<std::vector<std::int64_t>>(); ///< The last element counts bad gradients.
};

} // namespace gaisnet
