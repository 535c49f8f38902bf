#pragma once

#include "text/tokenizer.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// A tokenizer of a fixed list of words, for texts that a program makes. Its ids are the words' places in the list.
/// encode() splits at spaces, tabs and line feeds; decode() puts a space between two words. Special tokens are words of
/// the list that `specials` names: `begin` and `end` stand around a text, and `unknown`, where there is one, for any word
/// that is not in the list; without it such a word throws usage_error. \throws usage_error for a word that is empty, holds
/// white space, is not UTF-8 or comes twice, and for a special id beyond the list.
std::unique_ptr<const tokenizer> make_word_tokenizer(std::vector<std::string> words, const special_ids& specials = {});

} // namespace gaisnet
