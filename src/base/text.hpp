#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gaisnet {

/// The text without spaces, tabs and carriage returns at its ends.
std::string_view trimmed(std::string_view text);

/// Number of single-character edits between two words, for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);

/// `value` with an SI prefix and four significant digits: quantity(1234.5, "J") = "1.234 kJ", 0.0021 s = "2.100 ms".
/// Seconds get no prefix above 1, bytes get none below 1. NaN gives "-".
std::string quantity(double value, const char* unit);

/// The system's message for an error number.
std::string system_reason(int code);

/// A name from a file, made safe for an error message: quoted, control characters escaped, very long names cut.
std::string printable(std::string_view name);

} // namespace gaisnet
