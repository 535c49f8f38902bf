#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gaisnet {

/// Byte offset of the first sequence that is not UTF-8 (Unicode, table 3-7); nothing where all of the text is.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// Number of bytes at the end of a text that begin a character and do not finish it: 0 to 3.
std::size_t unfinished_utf8(std::string_view text);

/// The text with U+FFFD in place of whatever is not UTF-8, one for each longest beginning of a character (Unicode 3.9,
/// "substitution of maximal subparts"), as Python's and Rust's lossy conversions do.
std::string valid_utf8(std::string_view bytes);

/// Number of U+FFFD that valid_utf8() puts in.
std::size_t count_invalid_utf8(std::string_view bytes);

/// Appends a code point as UTF-8.
void append_utf8(std::string& text, char32_t code);

/// Length in bytes of the character that begins with this byte. The text has to be UTF-8.
inline std::size_t utf8_length(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// The code point at `at`, which is moved behind it. The text has to be UTF-8.
inline char32_t next_utf8(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
    };
    const auto length = utf8_length(text[at]);
    std::uint32_t code = byte(0);
    if (length == 2) {
        code = (code & 0x1fU) << 6 | (byte(1) & 0x3fU);
    } else if (length == 3) {
        code = (code & 0x0fU) << 12 | (byte(1) & 0x3fU) << 6 | (byte(2) & 0x3fU);
    } else if (length == 4) {
        code = (code & 0x07U) << 18 | (byte(1) & 0x3fU) << 12 | (byte(2) & 0x3fU) << 6 | (byte(3) & 0x3fU);
    }
    at += length;
    return static_cast<char32_t>(code);
}

} // namespace gaisnet
