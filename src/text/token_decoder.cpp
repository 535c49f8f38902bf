#include "text/token_decoder.hpp"

#include "base/utf8.hpp"
#include "text/byte_level.hpp"
#include "text/text_pattern.hpp"

#include <charconv>
#include <functional>
#include <utility>

namespace gaisnet {

class token_decoder::recipe {
public:
    /// What a step does with the tokens before it.
    enum class kind {
        by_token, ///< Makes something of each.
        joining,  ///< Makes one text of all.
        stripping ///< By token, and only at its beginning.
    };
    using maker = std::function<std::unique_ptr<decoding_step>()>;

    recipe(kind how, maker make, maker make_for_stream = {})
        : how_(how)
        , make_(std::move(make))
        , make_for_stream_(std::move(make_for_stream)) {}

    kind how() const { return how_; }
    /// \param in_parts the tokens that come are parts of one text.
    std::unique_ptr<decoding_step> start(bool in_parts) const { return in_parts ? make_for_stream_() : make_(); }

private:
    kind how_;
    maker make_;
    maker make_for_stream_;
};

namespace {

/// Tokens with a space between them.
class spacing_step final : public decoding_step {
public:
    void push(std::string token, std::vector<std::string>& ready) override {
        ready.push_back(first_ ? std::move(token) : " " + token);
        first_ = false;
    }

private:
    bool first_ = true;
};

/// One text of all tokens: at the end, or as it comes.
class fusing_step final : public decoding_step {
public:
    explicit fusing_step(bool in_parts): in_parts_(in_parts) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        if (in_parts_) {
            ready.push_back(std::move(token));
        } else {
            text_ += token;
        }
    }
    void finish(std::vector<std::string>& ready) override {
        if (!in_parts_) {
            ready.push_back(std::move(text_));
        }
    }

private:
    bool in_parts_;
    std::string text_;
};

/// The text whose bytes the tokens spell: at the end, or as soon as characters are complete.
class byte_level_step final : public decoding_step {
public:
    explicit byte_level_step(bool in_parts): in_parts_(in_parts) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        append_from_byte_level(bytes_, token);
        if (in_parts_) {
            const auto complete = bytes_.size() - unfinished_utf8(bytes_);
            ready.push_back(valid_utf8(std::string_view(bytes_).substr(0, complete)));
            bytes_.erase(0, complete);
        }
    }
    void finish(std::vector<std::string>& ready) override {
        ready.push_back(valid_utf8(bytes_));
        bytes_.clear();
    }

private:
    bool in_parts_;
    std::string bytes_;
};

/// Tokens <0x00> to <0xFF> become what their bytes spell; a run that spells nothing becomes as many U+FFFD.
class byte_fallback_step final : public decoding_step {
public:
    void push(std::string token, std::vector<std::string>& ready) override {
        unsigned byte = 0;
        const auto* digits = token.data() + 3;
        if (token.size() == 6 && token.starts_with("<0x") && token.ends_with('>') &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            bytes_ += static_cast<char>(static_cast<unsigned char>(byte));
        } else {
            finish(ready);
            ready.push_back(std::move(token));
        }
    }
    void finish(std::vector<std::string>& ready) override {
        if (find_invalid_utf8(bytes_)) {
            ready.insert(ready.end(), bytes_.size(), "\xef\xbf\xbd");
        } else if (!bytes_.empty()) {
            ready.push_back(bytes_);
        }
        bytes_.clear();
    }

private:
    std::string bytes_;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

/// Words of WordPiece: what begins with the prefix goes on with the word before.
class word_piece_step final : public decoding_step {
public:
    word_piece_step(std::string prefix, bool cleans_up): prefix_(std::move(prefix)), cleans_up_(cleans_up) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        if (!first_) {
            if (token.starts_with(prefix_)) {
                token.erase(0, prefix_.size());
            } else {
                token.insert(0, " ");
            }
        }
        first_ = false;
        if (cleans_up_) {
            constexpr std::pair<std::string_view, std::string_view> changes[] = {
                {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
                {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
            };
            for (const auto& [from, to] : changes) {
                replace_all(token, from, to);
            }
        }
        ready.push_back(std::move(token));
    }

private:
    std::string prefix_;
    bool cleans_up_;
    bool first_ = true;
};

class replacing_step final : public decoding_step {
public:
    replacing_step(const text_pattern& pattern, const std::string& content): pattern_(pattern), content_(content) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        ready.push_back(pattern_.replaced(token, content_));
    }

private:
    const text_pattern& pattern_;
    const std::string& content_;
};

/// Takes up to so many of a character from both ends of every token.
class stripping_step final : public decoding_step {
public:
    stripping_step(std::string content, std::size_t start, std::size_t stop)
        : content_(std::move(content))
        , start_(start)
        , stop_(stop) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        std::string_view rest = token;
        // A token of nothing else is counted from both ends, but nothing is taken twice.
        for (std::size_t i = 0; i < start_ && rest.starts_with(content_); ++i) {
            rest.remove_prefix(content_.size());
        }
        for (std::size_t i = 0; i < stop_ && rest.ends_with(content_); ++i) {
            rest.remove_suffix(content_.size());
        }
        ready.emplace_back(rest);
    }

private:
    std::string content_;
    std::size_t start_;
    std::size_t stop_;
};

/// The same at the beginning of a text that comes in parts.
class leading_strip_step final : public decoding_step {
public:
    leading_strip_step(std::string content, std::size_t start): content_(std::move(content)), left_(start) {}
    void push(std::string token, std::vector<std::string>& ready) override {
        std::string_view rest = token;
        while (left_ > 0 && rest.starts_with(content_)) {
            rest.remove_prefix(content_.size());
            --left_;
        }
        left_ = rest.empty() ? left_ : 0;
        ready.emplace_back(rest);
    }

private:
    std::string content_;
    std::size_t left_;
};

using recipe_list = std::vector<std::unique_ptr<const token_decoder::recipe>>;
using recipe_kind = token_decoder::recipe::kind;

template <typename Step, typename... Settings>
token_decoder::recipe::maker maker_of(Settings... settings) {
    return [=] { return std::make_unique<Step>(settings...); };
}

void read_decoder(const json_part& part, recipe_list& recipes) {
    const auto add = [&](recipe_kind kind, token_decoder::recipe::maker make,
                         token_decoder::recipe::maker stream = {}) {
        recipes.push_back(std::make_unique<token_decoder::recipe>(kind, std::move(make), std::move(stream)));
    };
    const auto type = part.text_or("type", "");
    if (type == "Sequence") {
        for (const auto& each : part.at("decoders").elements()) {
            read_decoder(each, recipes);
        }
    } else if (type == "ByteLevel") {
        add(recipe_kind::joining, maker_of<byte_level_step>(false), maker_of<byte_level_step>(true));
    } else if (type == "Fuse") {
        add(recipe_kind::joining, maker_of<fusing_step>(false), maker_of<fusing_step>(true));
    } else if (type == "ByteFallback") {
        add(recipe_kind::by_token, maker_of<byte_fallback_step>());
    } else if (type == "WordPiece") {
        add(recipe_kind::by_token,
            maker_of<word_piece_step>(part.text_or("prefix", "##"), part.flag_or("cleanup", true)));
    } else if (type == "Replace") {
        const auto pattern = std::make_shared<const text_pattern>(part.at("pattern"));
        const auto content = part.at("content").text();
        add(recipe_kind::by_token, [pattern, content] { return std::make_unique<replacing_step>(*pattern, content); });
    } else if (type == "Strip") {
        const auto content = part.at("content").text();
        if (content.empty()) {
            part.at("content").refuse("is empty; a character is accepted");
        }
        const auto start = part.count_or("start", 0);
        const auto stop = part.count_or("stop", 0);
        add(stop == 0 ? recipe_kind::stripping : recipe_kind::by_token, maker_of<stripping_step>(content, start, stop),
            maker_of<leading_strip_step>(content, start));
    } else {
        part.refuse_type("decoder", "ByteLevel, WordPiece, Fuse, ByteFallback, Replace, Strip, Sequence, null");
    }
}

} // namespace

std::string decoding::pass_on(std::vector<std::string> tokens, std::size_t first, bool finish) {
    std::vector<std::string> ready;
    for (auto i = first; i < steps_.size(); ++i) {
        ready.clear();
        for (auto& token : tokens) {
            steps_[i]->push(std::move(token), ready);
        }
        if (finish) {
            steps_[i]->finish(ready);
        }
        std::swap(tokens, ready);
    }
    std::string text;
    for (const auto& token : tokens) {
        text += token;
    }
    return text;
}

std::string decoding::push(std::string token) {
    std::vector<std::string> tokens;
    tokens.push_back(std::move(token));
    return pass_on(std::move(tokens), 0, false);
}

std::string decoding::finish() { return pass_on({}, 0, true); }

token_decoder::token_decoder(const std::optional<json_part>& part) {
    if (part) {
        read_decoder(*part, recipes_);
    }
    if (recipes_.empty()) {
        const bool nothing_to_do = part.has_value(); // an empty sequence
        recipes_.push_back(std::make_unique<recipe>(recipe::kind::by_token, nothing_to_do ? maker_of<fusing_step>(true)
                                                                                          : maker_of<spacing_step>()));
    }
}

token_decoder::~token_decoder() = default;

decoding token_decoder::start() const {
    // Text leaves in parts where a step that joins all is followed by nothing, or by what needs the beginning only.
    const auto count = recipes_.size();
    const auto is = [&](std::size_t i, recipe::kind kind) { return recipes_[i]->how() == kind; };
    auto in_parts_from = count;
    if (is(count - 1, recipe::kind::joining)) {
        in_parts_from = count - 1;
    } else if (count > 1 && is(count - 1, recipe::kind::stripping) && is(count - 2, recipe::kind::joining)) {
        in_parts_from = count - 2;
    }
    std::vector<std::unique_ptr<decoding_step>> steps;
    for (std::size_t i = 0; i < count; ++i) {
        steps.push_back(recipes_[i]->start(i >= in_parts_from));
    }
    return decoding(std::move(steps));
}

} // namespace gaisnet
