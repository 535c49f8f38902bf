#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace gaisnet {

/// Averages what tensors of a client make together, such as the product of two factors, in place of the tensors.
class joint_average {
public:
    virtual ~joint_average() = default;
    /// Elements of what the tensors make: the same for clients of all sizes.
    virtual std::int64_t elements() const = 0;
    /// What a client's tensors make. \param tensors float32, each as the client has it. \param size that of the client
    /// \param out [elements]
    virtual void combine(std::span<const float* const> tensors, std::int64_t size, std::span<double> out) const = 0;
    /// The edge's tensors that make the mean, or come closest to it: a function of the mean alone. \param tensors float32,
    /// one behind the other
    virtual void divide(std::span<const double> mean, std::span<float> tensors) const = 0;
    /// FLOP of combine(), and of divide() for contributions whose sizes add up to `sizes`.
    virtual double combine_flops(std::int64_t size) const = 0;
    virtual double divide_flops(std::int64_t sizes) const = 0;
    /// Bytes that divide() needs in passing, beside the sums.
    virtual std::uint64_t workspace_bytes(std::int64_t sizes) const = 0;
};

/// How a tunable tensor, or several that follow each other, are averaged over clients, weighted by samples. Clients may
/// have smaller ones than their edge: the first part in one dimension.
struct average_rule {
    std::size_t tensors = 1;
    /// The dimension of the first tensor in which it is smaller at clients of a smaller size; absent: all are equal.
    std::optional<std::size_t> shrinks_in{};
    /// Each slice in that dimension is averaged over the clients that have it, and stays as it is where nobody has.
    /// Otherwise a client's missing values count as 0.
    bool by_slice = false;
    /// In place of the tensors this is averaged.
    std::shared_ptr<const joint_average> joint{};
};

} // namespace gaisnet
