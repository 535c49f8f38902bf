#pragma once

#include <cmath>
#include <iterator>
#include <string>

#include <fmt/format.h>

namespace gaisnet::report_lines {

// Formats the lines of end tables.

using output = std::back_insert_iterator<std::string>;

inline void line(output out, const std::string& label, const std::string& value, const std::string& note = "") {
    const auto text = fmt::format("  {:<22}{:>14}  {}", label, value, note);
    fmt::format_to(out, "{}\n", text.substr(0, text.find_last_not_of(' ') + 1));
}

/// 0.973 as "97.30 %"; NaN as "-".
inline std::string percent(double fraction) {
    return std::isnan(fraction) ? "-" : fmt::format("{:.2f} %", 100.0 * fraction);
}
inline std::string plain(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4f}", value); }
inline std::string share(double part, double whole) {
    return whole > 0 ? fmt::format("{:5.1f} %", 100.0 * part / whole) : "";
}

} // namespace gaisnet::report_lines
