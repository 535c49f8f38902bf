#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// Ids of tokens that mean no text, where a tokenizer has them.
struct special_ids {
    std::optional<std::int32_t> unknown = {};  ///< Stands for what the vocabulary has no token for.
    std::optional<std::int32_t> padding = {};  ///< Fills up a batch.
    std::optional<std::int32_t> begin = {};    ///< Begins a text.
    std::optional<std::int32_t> end = {};      ///< Ends a text.
    std::optional<std::int32_t> classify = {}; ///< BERT's [CLS].
    std::optional<std::int32_t> separate = {}; ///< BERT's [SEP].
    std::optional<std::int32_t> mask = {};     ///< BERT's [MASK].
};

/// The special tokens around a text.
struct special_frame {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> behind;
    std::optional<std::int32_t> classify; ///< Where the frame names them.
    std::optional<std::int32_t> separate;
};

/// Tokens of a text that come one after another, as a language model makes them. It must not outlive its tokenizer.
class token_stream {
public:
    virtual ~token_stream() = default;
    /// The text that is certain after another token: complete characters, perhaps none.
    virtual std::string push(std::int32_t id) = 0;
    /// What was kept back, as no token will follow. What all calls returned is what tokenizer::decode returns.
    virtual std::string finish() = 0;
};

/// From text to the ids of tokens and back. Const members are thread-safe.
class tokenizer {
public:
    virtual ~tokenizer() = default;

    /// The ids of a text. \param special_tokens adds those with which the model wants a text to begin and end.
    /// \throws usage_error where the text is not UTF-8 (with the byte's offset), or cannot be written in tokens.
    virtual std::vector<std::int32_t> encode(std::string_view text, bool special_tokens) const = 0;
    /// The text of tokens, UTF-8 in any case: bytes that spell no character become U+FFFD. Ids without a token are left
    /// out, as Hugging Face's library does; a model may have more of them than its tokenizer. \param skip_special leaves
    /// out special tokens.
    virtual std::string decode(std::span<const std::int32_t> ids, bool skip_special) const = 0;
    virtual std::unique_ptr<token_stream> stream(bool skip_special) const = 0;

    /// Number of tokens; their ids are 0 to this.
    virtual std::size_t vocabulary_size() const = 0;
    virtual std::optional<std::int32_t> id(std::string_view token) const = 0;
    /// A token as the vocabulary has it. \param id from 0 to vocabulary_size() - 1; others throw std::out_of_range.
    virtual const std::string& token(std::int32_t id) const = 0;
    virtual const special_ids& specials() const = 0;
    virtual const special_frame& frame() const = 0; ///< What encode() adds.
};

/// Reads a tokenizer.json of Hugging Face's library `tokenizers`, or the one in a folder. Its encode() gives the same ids
/// as that library (tests/text/tokenizer_test.py compares). The models BPE and WordPiece are supported, with the parts
/// that read_normaliser, read_pre_tokenizer, read_special_frame and token_decoder read. "truncation" and "padding" have no
/// effect. A tokenizer_config.json beside the file says which tokens are special ones; without it usual names are taken.
/// \throws usage_error in one sentence that names the file, the part and what is accepted.
std::unique_ptr<const tokenizer> read_tokenizer(const std::filesystem::path&);

} // namespace gaisnet
