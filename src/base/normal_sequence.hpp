#pragma once

#include "base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace gaisnet {

/// What consecutive calls of random_stream::normal() would give, by number. For many values at a time there is a way
/// that is some ten times faster and nearly right: enough where a value is rounded afterwards, as a pixel's is, if those
/// that lie too close to a boundary are drawn exactly.
class normal_sequence {
public:
    /// Begins with the next value of `stream`, which must have used its blocks of four words up: a multiple of two uniform
    /// numbers since its beginning.
    explicit normal_sequence(const random_stream& stream);

    double exact(std::uint64_t number) const;

    /// Largest difference of an approximate value to the exact one.
    static constexpr double tolerance = 4e-5;
    /// Values first, first + 1, ...; NaN, in one of ten thousand, where the tolerance might not be kept.
    void approximate(std::uint64_t first, std::span<float> values) const;

private:
    random_stream::block_source source_;
};

} // namespace gaisnet
