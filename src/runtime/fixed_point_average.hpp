#pragma once

#include "base/tensor_view.hpp"
#include "model/module_average.hpp"
#include "runtime/pass.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// A weighted average that does not depend on the order or grouping of its sums: every value is summed as an integer q
/// = llrint(n x 2^s), where n is the number of the contribution's samples. s is the largest integer with W B 2^s <
/// 2^62, where W is the sum of all weights and B = 1024 the largest accepted magnitude, so no sum overflows. The error
/// is at most one quantum, 2^-s / W, per contribution.
///
/// Of some tensors not the values are summed but what they make together, and slices of some have weights of their own
/// (average_layout).
///
/// The buffer contains the sums of all elements, the weights, and one status word for each contribution. Ranks add their
/// buffers element by element.
class fixed_point_average {
public:
    static constexpr double largest_magnitude = 1024.0;

    fixed_point_average(average_layout layout, std::int64_t total_weight, std::size_t contributions);

    /// Adds one contribution. A value that is not finite or is too large sets its status word and does not throw, so
    /// that all ranks learn of it after the sum and stop together.
    void add(const contribution&);

    sum_buffer buffer() { return buffer_; }

    /// The average of every tensor, float32 [elements], after all buffers have been summed. \param contributors names
    /// by contribution, for the message. \param nan_for_bad a bad value makes the whole average NaN. \param last the model
    /// before: slices that nobody contributed stay as they are. \throws runtime_failure for a bad value, unless
    /// nan_for_bad, or a tensor without contributions.
    tensor_view result(const std::vector<std::string>& contributors, bool nan_for_bad = false,
                       const tensor_view& last = {}) const;

    int scale_bits() const { return scale_bits_; }

private:
    void add_values(const summed_tensors&, const contribution&, const tunable_slice&, std::int64_t& status);
    void add_joint(const summed_tensors&, const contribution&, std::span<const tunable_slice>, std::int64_t& status);
    void average_values(const summed_tensors&, const tensor_view& last, float* model) const;
    double divisor_of(const summed_tensors&, std::int64_t weight) const;

    average_layout layout_;
    int scale_bits_ = 0;
    sum_buffer buffer_;
};

} // namespace gaisnet
