#pragma once

#include "base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace gaisnet {

/// The values that consecutive calls of random_stream::normal() would return, accessible by index. approximate()
/// computes many values at once, about ten times faster but not exactly. That is enough where a value is rounded
/// afterwards, as a pixel is, if the values too close to a rounding boundary are drawn exactly.
class normal_sequence {
public:
    /// Starts with the next value of `stream`. The stream must be at the end of a block of four words: an even number
    /// of uniform numbers must have been drawn from it.
    explicit normal_sequence(const random_stream& stream);

    double exact(std::uint64_t number) const;

    /// Largest difference between an approximate and an exact value.
    static constexpr double tolerance = 4e-5;
    /// Computes values first, first + 1, ... About one value in ten thousand, whose error might exceed the tolerance,
    /// is NaN.
    void approximate(std::uint64_t first, std::span<float> values) const;

private:
    random_stream::block_source source_;
};

} // namespace gaisnet
