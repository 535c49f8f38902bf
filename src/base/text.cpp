#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <system_error>
#include <vector>

namespace gaisnet {

namespace {

std::string rounded(double value) {
    const double size = std::abs(value);
    const int decimals = size < 9.9995 ? 3 : size < 99.995 ? 2 : size < 999.95 ? 1 : 0;
    return fmt::format("{:.{}f}", value, decimals);
}

} // namespace

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string quantity(double value, const char* unit) {
    if (std::isnan(value)) {
        return "-";
    }
    if (value == 0 || std::isinf(value)) {
        return fmt::format("{:g} {}", value, unit);
    }
    const std::string name = unit;
    const int highest = name == "s" ? 0 : 6; // "ks" and "Ms" say nothing to a reader.
    const int lowest = name == "B" ? 0 : -3;
    static constexpr const char* prefixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
    int power = 0;
    double scaled = value;
    // 999.95 would be printed as 1000, which is the next prefix's 1.000.
    while (std::abs(scaled) >= 999.95 && power < highest) {
        scaled /= 1000;
        ++power;
    }
    while (std::abs(scaled) < 0.99995 && power > lowest) {
        scaled *= 1000;
        --power;
    }
    if (std::abs(scaled) >= 1e6 || std::abs(scaled) < 1e-6) {
        return fmt::format("{:.3e} {}", value, unit);
    }
    const bool whole_bytes = name == "B" && power == 0;
    return fmt::format("{} {}{}", whole_bytes ? fmt::format("{:.0f}", scaled) : rounded(scaled), prefixes[power + 3],
                       unit);
}

std::string system_reason(int code) { return std::error_code(code, std::generic_category()).message(); }

std::string printable(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string text = "'";
    for (const char symbol : name.substr(0, longest)) {
        const auto code = static_cast<unsigned char>(symbol);
        if (code < 0x20 || code == 0x7f) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\x%02x", code);
            text += escape.data();
        } else {
            text += symbol;
        }
    }
    return text + (name.size() > longest ? "...'" : "'");
}

} // namespace gaisnet
