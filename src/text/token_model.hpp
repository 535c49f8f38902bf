#pragma once

#include "text/json_part.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Texts by hash, found by std::string_view.
struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <typename T>
using text_map = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;

/// Tokens and their ids.
class vocabulary {
public:
    /// Reads "vocab": {"token": id, ...}. \throws usage_error where two tokens have one id, or an id has no token.
    explicit vocabulary(const json_part&);
    vocabulary(const vocabulary&) = delete;
    vocabulary& operator=(const vocabulary&) = delete;

    std::optional<std::int32_t> find(std::string_view token) const;
    std::size_t size() const { return tokens_.size(); }
    const std::string& token(std::size_t id) const { return *tokens_[id]; } ///< \param id below size().
    std::size_t longest() const { return longest_; }                        ///< Bytes of the longest token.

private:
    text_map<std::int32_t> ids_;
    std::vector<const std::string*> tokens_; ///< Keys of `ids_`.
    std::size_t longest_ = 0;
};

/// Turns a piece of a text into tokens: the part "model" of a tokenizer's file. Thread-safe.
class token_model {
public:
    virtual ~token_model() = default;
    /// Appends the ids of a piece. \param piece UTF-8, not empty; bytes are meant where the pieces are byte-level.
    virtual void append_ids(std::string_view piece, std::vector<std::int32_t>& ids) const = 0;
    virtual const vocabulary& tokens() const = 0;
    virtual std::optional<std::int32_t> unknown() const = 0; ///< The id of the unknown token.
};

/// Reads BPE and WordPiece. \param byte_level whether pieces are bytes to be written as characters. \throws usage_error.
std::unique_ptr<const token_model> read_token_model(const json_part&, bool byte_level);

/// Byte-pair encoding (Sennrich et al. 2016): the pair of neighbours that was merged first in training is merged first.
std::unique_ptr<const token_model> read_bpe(const json_part&, bool byte_level);

/// WordPiece (Devlin et al. 2019): the longest token that begins the rest of a word, again and again.
std::unique_ptr<const token_model> read_word_piece(const json_part&);

} // namespace gaisnet
