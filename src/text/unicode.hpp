#pragma once

#include <string>
#include <string_view>

namespace gaisnet {

/// Properties of characters, by ICU's tables. Hugging Face's library takes some of its properties from tables of Unicode
/// 8 and 9; models were trained with these, so here the same is done by leaving out younger characters (compared for
/// every code point with version 0.23 of that library). The rest differs for characters only that are younger than ICU's
/// tables: with ICU 72 (Unicode 15), 5000 code points that Unicode 16 and 17 assigned.
bool is_white_space(char32_t);
/// Category N: digits, letter-like numbers and other ones.
bool is_number(char32_t);
/// A character of a word as in `\w` of Unicode's technical standard 18.
bool is_word_character(char32_t);
/// Punctuation by Unicode 8, and all of ASCII's that is no letter, digit, space or control character ($ and + too).
bool is_punctuation_or_ascii_symbol(char32_t);
/// Control, format and private-use characters by Unicode 8.
bool is_control(char32_t);
/// Category Mn by Unicode 8.
bool is_nonspacing_mark(char32_t);
/// Category M by Unicode 9.
bool is_combining_mark(char32_t);

/// Whether a text is ASCII alone.
bool is_ascii(std::string_view text);

/// The text with every character in lower case, by itself: a final sigma is like others.
std::string lower_case(std::string_view text);

enum class normal_form { nfc, nfd, nfkc, nfkd };
/// The text in a normal form of Unicode 9 (Unicode Standard Annex 15). `text` has to be UTF-8.
std::string normalised(std::string_view text, normal_form);

} // namespace gaisnet
