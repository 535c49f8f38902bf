#include "text/word_tokenizer.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "text/token_model.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace gaisnet {

namespace {

constexpr std::string_view between_words = " \t\n\r";

class word_tokenizer final : public tokenizer {
public:
    word_tokenizer(std::vector<std::string> words, const special_ids& specials)
        : words_(std::move(words))
        , is_special_(words_.size(), false)
        , specials_(specials) {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            const auto& word = words_[i];
            if (word.empty() || word.find_first_of(between_words) != std::string::npos || find_invalid_utf8(word)) {
                throw usage_error("word " + std::to_string(i) + " of a vocabulary is " + printable(valid_utf8(word)) +
                                  "; UTF-8 without white space is accepted");
            }
            if (!ids_.emplace(word, static_cast<std::int32_t>(i)).second) {
                throw usage_error("the word " + printable(word) + " comes twice in a vocabulary");
            }
        }
        for (const auto& special : {specials.unknown, specials.padding, specials.begin, specials.end, specials.classify,
                                    specials.separate, specials.mask}) {
            if (special && !has(*special)) {
                throw usage_error("the special token " + std::to_string(*special) + " is beyond the vocabulary of " +
                                  std::to_string(words_.size()) + " words");
            }
            if (special) {
                is_special_[static_cast<std::size_t>(*special)] = true;
            }
        }
        if (specials.begin) {
            frame_.before.push_back(*specials.begin);
        }
        if (specials.end) {
            frame_.behind.push_back(*specials.end);
        }
    }

    std::vector<std::int32_t> encode(std::string_view text, bool special_tokens) const override {
        if (const auto invalid = find_invalid_utf8(text)) {
            throw usage_error("the text is not UTF-8 at byte " + std::to_string(*invalid) + " (counted from 0)");
        }
        std::vector<std::int32_t> ids;
        if (special_tokens) {
            ids = frame_.before;
        }
        for (auto at = text.find_first_not_of(between_words); at != std::string_view::npos;) {
            const auto end = std::min(text.find_first_of(between_words, at), text.size());
            const auto word = text.substr(at, end - at);
            const auto found = id(word);
            if (!found && !specials_.unknown) {
                throw usage_error("the word " + printable(word) + " at byte " + std::to_string(at) +
                                  " is not in the vocabulary of " + std::to_string(words_.size()) + " words");
            }
            ids.push_back(found ? *found : *specials_.unknown);
            at = text.find_first_not_of(between_words, end);
        }
        if (special_tokens) {
            ids.insert(ids.end(), frame_.behind.begin(), frame_.behind.end());
        }
        return ids;
    }

    std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override {
        word_stream all(*this, skip_special);
        std::string text;
        for (const auto each : ids) {
            text += all.push(each);
        }
        return text;
    }

    std::unique_ptr<token_stream> stream(bool skip_special) const override {
        return std::make_unique<word_stream>(*this, skip_special);
    }

    std::size_t vocabulary_size() const override { return words_.size(); }

    std::optional<std::int32_t> id(std::string_view token) const override {
        const auto found = ids_.find(token);
        return found == ids_.end() ? std::nullopt : std::optional(found->second);
    }

    const std::string& token(std::int32_t id) const override {
        if (!has(id)) {
            throw std::out_of_range("token " + std::to_string(id) + " of " + std::to_string(words_.size()));
        }
        return words_[static_cast<std::size_t>(id)];
    }

    const special_ids& specials() const override { return specials_; }
    const special_frame& frame() const override { return frame_; }

private:
    class word_stream final : public token_stream {
    public:
        word_stream(const word_tokenizer& owner, bool skip_special): owner_(owner), skip_special_(skip_special) {}
        std::string push(std::int32_t id) override {
            if (!owner_.has(id) || (skip_special_ && owner_.is_special_[static_cast<std::size_t>(id)])) {
                return {};
            }
            const std::string space = first_ ? "" : " ";
            first_ = false;
            return space + owner_.token(id);
        }
        std::string finish() override { return {}; }

    private:
        const word_tokenizer& owner_;
        bool skip_special_;
        bool first_ = true;
    };

    bool has(std::int32_t id) const { return id >= 0 && static_cast<std::size_t>(id) < words_.size(); }

    std::vector<std::string> words_;
    std::vector<bool> is_special_;
    special_ids specials_;
    special_frame frame_;
    text_map<std::int32_t> ids_;
};

} // namespace

std::unique_ptr<const tokenizer> make_word_tokenizer(std::vector<std::string> words, const special_ids& specials) {
    return std::make_unique<word_tokenizer>(std::move(words), specials);
}

} // namespace gaisnet
