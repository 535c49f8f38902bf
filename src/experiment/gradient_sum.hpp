#pragma once

#include "transport/transport.hpp"

#include <ATen/TensorOperators.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace gaisnet {

/// Adds gradients up over parts of a batch and over ranks, as integers: in any order, and on any number of ranks, they
/// give the same bits. Fixed point: values below 2^14 with 40 fractional bits, of 256 parts at most.
class gradient_sum {
public:
    explicit gradient_sum(const std::vector<at::Tensor>& parameters);

    void clear();
    /// Takes the gradients of these parameters in, and resets them. One that is not finite, or too large, is noted.
    void take(std::vector<at::Tensor>& parameters);
    /// Adds up over all ranks, each of which has to call it, and gives the parameters the sums as gradients.
    /// \returns false on all ranks when one of them noted a gradient; the parameters have none then.
    bool exchange(std::vector<at::Tensor>& parameters, transport&, const std::vector<int>& everyone);

private:
    std::size_t elements_ = 0;
    sum_buffer sums_ = std::make_shared<std::vector<std::int64_t>>(); ///< At its end the count of noted parts.
};

} // namespace gaisnet
