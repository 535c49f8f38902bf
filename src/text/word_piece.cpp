#include "base/text.hpp"
#include "base/utf8.hpp"
#include "text/token_model.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

class word_piece final : public token_model {
public:
    explicit word_piece(const json_part& part)
        : tokens_(part.at("vocab"))
        , prefix_(part.text_or("continuing_subword_prefix", "##"))
        , longest_word_(part.count_or("max_input_chars_per_word", 100)) {
        const auto name = part.text_or("unk_token", "[UNK]");
        const auto id = tokens_.find(name);
        if (!id) {
            part.refuse("has the unk_token " + printable(name) + ", which is not in its vocabulary");
        }
        unknown_ = *id;
    }

    void append_ids(std::string_view word, std::vector<std::int32_t>& ids) const override {
        const auto characters = std::count_if(word.begin(), word.end(),
                                              [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; });
        const auto before = ids.size();
        std::string token; // the prefix, and what follows of the word
        std::size_t at = static_cast<std::size_t>(characters) > longest_word_ ? word.size() : 0;
        bool known = at == 0;
        while (known && at < word.size()) {
            const auto prefix = at == 0 ? 0 : prefix_.size();
            token.assign(prefix_, 0, prefix);
            token += word.substr(at, std::min(word.size() - at, tokens_.longest()));
            auto id = tokens_.find(token);
            while (!id && token.size() > prefix) {
                do { // one character less
                    token.pop_back();
                } while (token.size() > prefix && is_inside(word, at + token.size() - prefix));
                id = token.size() > prefix ? tokens_.find(token) : std::nullopt;
            }
            known = id.has_value();
            if (known) {
                ids.push_back(*id);
                at += token.size() - prefix;
            }
        }
        if (!known) {
            ids.resize(before);
            ids.push_back(unknown_);
        }
    }
    const vocabulary& tokens() const override { return tokens_; }
    std::optional<std::int32_t> unknown() const override { return unknown_; }

private:
    /// Whether a character of the word goes on at `at`.
    static bool is_inside(std::string_view word, std::size_t at) {
        return at < word.size() && (static_cast<unsigned char>(word[at]) & 0xc0U) == 0x80;
    }

    vocabulary tokens_;
    std::string prefix_;
    std::size_t longest_word_;
    std::int32_t unknown_ = 0;
};

} // namespace

std::unique_ptr<const token_model> read_word_piece(const json_part& part) { return std::make_unique<word_piece>(part); }

} // namespace gaisnet
