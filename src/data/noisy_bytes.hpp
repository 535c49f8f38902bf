#pragma once

#include "base/normal_sequence.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace gaisnet {

/// Values before noise, of which bytes will be made: round(scale (clean + deviation n)), cut off at 0 and 255, with a
/// standard normal n for each.
struct clean_values {
    std::span<const double> clean; ///< May be off by 1e-10 / scale; NaN: known to `exact` only.
    double scale, deviation;
};

/// Adds normals number `first` on and rounds. Nearly right values will do where the byte that they make is beyond doubt;
/// `exact(i)` makes the others, a few in a thousand: what comes out is what it would give for all.
void add_noise(const clean_values&, const normal_sequence&, std::uint64_t first, std::span<std::uint8_t> bytes,
               const std::function<std::uint8_t(std::size_t)>& exact);

} // namespace gaisnet
