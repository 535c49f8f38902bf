#pragma once

#include "data/text_dataset.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace gaisnet {

/// From a text to the ids of its tokens, without special tokens. May be called from several threads.
using text_encoder = std::function<std::vector<std::int32_t>(std::string_view text)>;

struct block_rule {
    std::int64_t tokens = 128;   ///< T: how many tokens a block predicts.
    std::int32_t end_token = 0;  ///< Stands before, between and behind texts.
    std::int64_t vocabulary = 0; ///< Number of tokens; their ids are below it.
    /// What happens to the tokens of a class that do not fill a block: they are left out, or, with a token for it, padded.
    std::optional<std::int32_t> padding;
};

/// Tokens to learn from: each but the last is an input, each but the first a next token.
struct token_block {
    std::vector<std::int32_t> tokens; ///< [T + 1]
    std::int64_t predicted = 0;       ///< The first so many next tokens count; those behind, if any, are padding.
    /// Bytes of text that the predicted tokens stand for. Over all blocks of a class whose rest is padded they add up to the
    /// bytes of its texts, so bits a byte = sum of losses in bits / sum of bytes.
    std::int64_t bytes = 0;

    std::span<const std::int32_t> inputs() const { return std::span(tokens).first(tokens.size() - 1); } ///< [T]
    std::span<const std::int32_t> next() const { return std::span(tokens).subspan(1); }                 ///< [T]
};

/// Texts for language modelling, packed into blocks. For each class, which is a domain, its texts stand one after another
/// in the order of the dataset, with an end token before, between and behind them. Block b has the tokens b T to b T + T of
/// this row. So two neighbours share a token, every token but the first is predicted exactly once, and only a last block
/// can be padded.
///
/// A tokenizer does not tell which token stands for which byte. The bytes of a text are spread evenly, in whole bytes, over
/// its tokens and the end token behind it: sums over whole texts are exact, those at the borders of a block good to a few
/// bytes. Tokens are kept in memory, 2 bytes each if the vocabulary has at most 65,536 of them and 4 otherwise.
class text_blocks final : public labelled_samples {
public:
    /// Tokenizes the texts. \param texts must outlive the blocks. \param samples numbers of the texts to be packed,
    /// ascending. \param threads do the work; the result does not depend on them. \throws usage_error for a rule that
    /// cannot be used, for a token outside of the vocabulary, and when no block is filled.
    text_blocks(const text_dataset& texts, std::span<const std::size_t> samples, const text_encoder&, block_rule,
                std::size_t threads = 1);
    /// All texts.
    text_blocks(const text_dataset& texts, const text_encoder&, block_rule, std::size_t threads = 1);

    std::size_t size() const override { return first_block_.back(); }
    std::int64_t label(std::size_t block) const override;
    const std::vector<std::string>& class_names() const override { return texts_.class_names(); }
    /// TEXT+TOKEN: the text in which it begins, and the place in it, where 0 is the end token before the text. So a block
    /// that begins with the same token has the same name whatever else is packed.
    std::string name(std::size_t block) const override;
    token_block block(std::size_t number) const;

    std::int64_t predicted_tokens() const; ///< In all blocks.
    std::int64_t unused_tokens() const;    ///< That did not fill a block.

private:
    /// Tokens, in as few bytes as they need.
    class token_list {
    public:
        explicit token_list(bool short_ids): short_ids_(short_ids) {}
        void append(std::int32_t token);
        std::int32_t at(std::size_t place) const { return short_ids_ ? short_[place] : long_[place]; }
        std::size_t size() const { return short_ids_ ? short_.size() : long_.size(); }
        void trim();

    private:
        bool short_ids_;
        std::vector<std::uint16_t> short_;
        std::vector<std::int32_t> long_;
    };
    /// The texts of a class in a row.
    struct token_row {
        token_list tokens;
        std::vector<std::size_t> texts;    ///< Sample numbers.
        std::vector<std::uint64_t> starts; ///< Of each text: the place of the end token before it. And of the last one.
        std::vector<std::uint64_t> bytes;  ///< Bytes of all texts before. And of all.
        std::uint64_t bytes_up_to(std::uint64_t place) const; ///< That tokens 1 to `place` stand for.
        std::size_t text_at(std::uint64_t place) const;       ///< Index in `texts`.
        std::uint64_t predicted() const { return starts.back(); }
    };
    void append(std::size_t sample, std::size_t bytes, const std::vector<std::int32_t>& tokens);
    void check_token(std::int64_t token, const std::string& what) const;
    /// The row of a block, and the place of its first token.
    std::pair<const token_row&, std::uint64_t> place_of(std::size_t block) const;

    const text_dataset& texts_;
    block_rule rule_;
    std::vector<token_row> rows_;          ///< By class.
    std::vector<std::size_t> first_block_; ///< By class, and the number of all.
};

/// How a text becomes the input of a classifier.
struct input_rule {
    std::int64_t tokens = 128;          ///< T
    std::int32_t padding = 0;           ///< Fills up behind a short text.
    std::vector<std::int32_t> before{}; ///< Special tokens that every text begins with, for example [CLS].
    std::vector<std::int32_t> behind{}; ///< And those that it ends with, for example [SEP].
};

struct token_input {
    std::vector<std::int32_t> tokens; ///< [T]
    std::int64_t length = 0;          ///< Those to attend to: the first so many, special ones included.
};

/// Puts special tokens around a text's tokens, cuts off what is too long at the end of the text, and pads.
/// \throws usage_error when special tokens leave no room for the text.
token_input fitted_input(std::span<const std::int32_t> text, const input_rule&);

} // namespace gaisnet
