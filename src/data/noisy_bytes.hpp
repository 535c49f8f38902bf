#pragma once

#include "base/normal_sequence.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace gaisnet {

/// Values before noise and rounding to bytes: each byte is round(scale (clean + deviation n)), clamped to 0 and 255,
/// where n is standard normal.
struct clean_values {
    std::span<const double> clean; ///< Error up to 1e-10 / scale; NaN: only `exact` can compute it.
    double scale, deviation;
};

/// Adds normals, starting with number `first`, and rounds. Approximate values are used where the resulting byte is
/// certain; `exact(i)` computes the few others (some in a thousand). The bytes are those that `exact` would give for
/// all values.
void add_noise(const clean_values&, const normal_sequence&, std::uint64_t first, std::span<std::uint8_t> bytes,
               const std::function<std::uint8_t(std::size_t)>& exact);

} // namespace gaisnet
