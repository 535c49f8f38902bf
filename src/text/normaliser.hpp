#pragma once

#include "text/json_part.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// What a tokenizer does to a text before it looks for tokens: the part "normalizer" of a tokenizer's file. Thread-safe.
class normaliser {
public:
    virtual ~normaliser() = default;
    /// Changes a text, which has to be UTF-8 and stays so.
    virtual void apply(std::string& text) const = 0;
};

/// Reads NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, Replace, BertNormalizer and Sequence.
/// \throws usage_error.
std::unique_ptr<const normaliser> read_normaliser(const json_part&);

} // namespace gaisnet
