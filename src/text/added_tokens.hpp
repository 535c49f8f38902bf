#pragma once

#include "text/json_part.hpp"
#include "text/normaliser.hpp"
#include "text/regular_expression.hpp"
#include "text/token_model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gaisnet {

/// A token that is found in a text as a whole, before the model sees the rest.
struct added_token {
    std::int32_t id = 0;
    std::string content;
    std::string looked_for;   ///< What of it is found in a text, and decoded: as the normaliser leaves it.
    bool single_word = false; ///< Not within a word.
    bool lstrip = false;      ///< Takes the space before it, too.
    bool rstrip = false;      ///< And the space behind it.
    bool normalized = true;   ///< Looked for in the normalised text.
    bool special = false;
};

/// Part of a text: an added token, or a text for the model.
struct text_section {
    text_span span;
    std::int32_t id = -1; ///< -1: for the model.
};

/// The part "added_tokens" of a tokenizer's file.
class added_tokens {
public:
    /// \param part the list; may be missing. \param model whose vocabulary comes first. \param normal what normalises
    /// texts; null: nothing. \throws usage_error for ids that leave holes or belong to other tokens.
    added_tokens(const std::optional<json_part>& part, const vocabulary& model, const normaliser* normal);

    const std::vector<added_token>& list() const { return tokens_; }
    /// Null where there is none with this id.
    const added_token* find(std::int32_t id) const;

    /// Splits a text at the tokens that are looked for before, or after, it is normalised. Of several tokens that begin at
    /// a place the longest is taken.
    void split(std::string_view text, bool is_normalised, std::vector<text_section>& sections) const;

private:
    /// A tree of the tokens' bytes.
    struct tree {
        struct branch {
            std::unordered_map<unsigned char, std::size_t> next;
            const added_token* token = nullptr;
        };
        std::vector<branch> nodes{1};
        bool begins[256] = {}; ///< Bytes that begin a token.
        void put(const added_token&);
        /// The longest token that begins at `at`, and its length in bytes; null where none does.
        std::pair<const added_token*, std::size_t> find(std::string_view text, std::size_t at) const;
    };
    void read(const json_part&, const vocabulary&);

    std::vector<added_token> tokens_;
    std::unordered_map<std::int32_t, std::size_t> by_id_;
    tree in_text_;
    tree in_normalised_;
};

} // namespace gaisnet
