#pragma once

#include "text/json_part.hpp"
#include "text/regular_expression.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A text and the pieces of it that are split further. A piece is never empty; what lies between them is dropped.
struct text_pieces {
    std::string text;
    std::vector<text_span> spans;
};

/// Splits a text into pieces, each of which a token_model turns into tokens by itself: the part "pre_tokenizer" of a
/// tokenizer's file. Thread-safe.
class pre_tokenizer {
public:
    virtual ~pre_tokenizer() = default;
    virtual void split(text_pieces&) const = 0;
    /// Whether the model gets the bytes of a piece as characters (see byte_level.hpp).
    virtual bool is_byte_level() const { return false; }
};

/// Reads ByteLevel, Split, Digits, BertPreTokenizer, Punctuation, Whitespace, WhitespaceSplit and Sequence. ByteLevel has
/// to come last in a sequence. \throws usage_error.
std::unique_ptr<const pre_tokenizer> read_pre_tokenizer(const json_part&);

} // namespace gaisnet
