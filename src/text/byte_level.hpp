#pragma once

#include <string>
#include <string_view>

namespace gaisnet {

/// GPT-2's alphabet of 256 printable characters, one a byte, in which byte-level vocabularies are written (Radford et al.
/// 2019, the published code): visible characters of Latin-1 stand for themselves, the others are U+0100 and following.
const std::string& byte_level_character(unsigned char byte);

/// Bytes written in that alphabet.
std::string to_byte_level(std::string_view bytes);

/// Appends the bytes that a text in that alphabet stands for; the text as it is where it holds another character.
void append_from_byte_level(std::string& bytes, std::string_view text);

} // namespace gaisnet
