#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace gaisnet {

/// How a file holds texts.
enum class text_format {
    paragraphs, ///< A record ends at a blank line.
    whole,      ///< One record.
    fortunes,   ///< A record ends at a line with nothing but %.
    json_lines, ///< A record is a line, a JSON object with "text" and perhaps "label".
};

/// A record within the bytes of a file, without the blank lines around it.
struct text_record {
    std::size_t begin = 0, size = 0; ///< Bytes.
    std::size_t line = 0;            ///< Of its first byte, from 1.
};

/// Calls `take` for each record in turn. Records of blank lines alone, and a byte order mark, are left out; lines may end
/// with CR LF.
void for_each_record(std::string_view file, text_format, const std::function<void(const text_record&)>& take);

/// Whether a line of a file has nothing but %, as between two records of a fortune file.
bool has_fortune_separator(std::string_view file);

/// Whether the file begins with a byte order mark of UTF-16.
bool is_utf16(std::string_view file);

/// A line of JSON lines.
struct json_record {
    std::string text;
    std::optional<std::string> label; ///< Whole numbers are written in digits.
};
/// \throws usage_error whose message says what is wrong, to be put behind the name of file and line.
json_record parse_json_record(std::string_view line);

/// The text with LF in place of CR LF.
std::string with_line_feeds(std::string_view text);

} // namespace gaisnet
