#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// An image of 8 bits a channel, row by row, red green blue.
struct image {
    int width = 0, height = 0;
    std::vector<std::uint8_t> rgb; ///< [height, width, 3]
};

} // namespace gaisnet
