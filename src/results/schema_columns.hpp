#pragma once

// Room for texts of the results file's tables.

#include <cstddef>

namespace gaisnet {

inline constexpr std::size_t class_bytes = 64; ///< Longer names of classes are cut.
inline constexpr std::size_t word_bytes = 24;  ///< The longest name of a kind, class or role has 17 characters.

} // namespace gaisnet
