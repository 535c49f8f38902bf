#include "text/pre_tokenizer.hpp"

#include "base/utf8.hpp"
#include "base/words.hpp"
#include "text/text_pattern.hpp"
#include "text/unicode.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace gaisnet {

namespace {

/// What becomes of the matches of a pattern at which a text is split.
enum class split_behaviour { removed, isolated, merged_with_previous, merged_with_next, contiguous };
constexpr word<split_behaviour> split_behaviour_words[] = {
    {"Removed", split_behaviour::removed},
    {"Isolated", split_behaviour::isolated},
    {"MergedWithPrevious", split_behaviour::merged_with_previous},
    {"MergedWithNext", split_behaviour::merged_with_next},
    {"Contiguous", split_behaviour::contiguous},
};

split_behaviour read_behaviour(const json_part& part) {
    std::string accepted;
    for (const auto& each : split_behaviour_words) {
        if (part.text() == each.text) {
            return each.value;
        }
        accepted += (accepted.empty() ? "" : ", ") + std::string(each.text);
    }
    part.refuse("is \"" + part.text() + "\"; accepted: " + accepted);
}

struct split_part {
    text_span span;
    bool matches;
};

/// All parts of a text of `size` bytes in order: the matches and what lies between them.
void list_parts(const std::vector<text_span>& matches, std::size_t size, std::vector<split_part>& parts) {
    parts.clear();
    std::size_t at = 0;
    for (const auto& match : matches) {
        if (at != match.begin) {
            parts.push_back({{at, match.begin}, false});
        }
        parts.push_back({match, true});
        at = match.end;
    }
    if (at != size) {
        parts.push_back({{at, size}, false});
    }
}

/// Joins matches with their neighbours; a match right behind a match stays alone.
void join_parts(std::vector<split_part>& parts, split_behaviour behaviour) {
    std::vector<split_part> joined;
    const bool backwards = behaviour == split_behaviour::merged_with_next;
    if (backwards) {
        std::reverse(parts.begin(), parts.end());
    }
    bool after_match = false;
    for (const auto& part : parts) {
        const bool joins =
            behaviour == split_behaviour::contiguous ? part.matches == after_match : part.matches && !after_match;
        after_match = part.matches;
        if (joins && !joined.empty()) {
            auto& last = joined.back().span;
            last = {std::min(last.begin, part.span.begin), std::max(last.end, part.span.end)};
        } else {
            joined.push_back(part);
        }
    }
    if (backwards) {
        std::reverse(joined.begin(), joined.end());
    }
    parts = std::move(joined);
}

/// Splits every piece at the matches that `find` puts into a list. \param invert takes what does not match for a match.
template <typename Find>
void split_pieces(text_pieces& pieces, split_behaviour behaviour, bool invert, Find&& find) {
    std::vector<text_span> matches;
    std::vector<split_part> parts;
    std::vector<text_span> spans;
    spans.reserve(pieces.spans.size() * 2);
    for (const auto& piece : pieces.spans) {
        const auto text = piece.of(pieces.text);
        find(text, matches);
        list_parts(matches, text.size(), parts);
        if (invert) {
            for (auto& part : parts) {
                part.matches = !part.matches;
            }
        }
        if (behaviour != split_behaviour::isolated && behaviour != split_behaviour::removed) {
            join_parts(parts, behaviour);
        }
        for (const auto& part : parts) {
            const bool dropped = behaviour == split_behaviour::removed && part.matches;
            if (!dropped && part.span.size() > 0) {
                spans.push_back({piece.begin + part.span.begin, piece.begin + part.span.end});
            }
        }
    }
    pieces.spans = std::move(spans);
}

class pattern_splitter final : public pre_tokenizer {
public:
    pattern_splitter(text_pattern pattern, split_behaviour behaviour, bool invert)
        : pattern_(std::move(pattern))
        , behaviour_(behaviour)
        , invert_(invert) {}
    void split(text_pieces& pieces) const override {
        text_pattern::finder finder(pattern_);
        split_pieces(pieces, behaviour_, invert_,
                     [&](std::string_view text, auto& matches) { finder.find_all(text, matches); });
    }

private:
    text_pattern pattern_;
    split_behaviour behaviour_;
    bool invert_;
};

/// Splits at single characters.
class character_splitter final : public pre_tokenizer {
public:
    character_splitter(bool (*is_match)(char32_t), split_behaviour behaviour)
        : is_match_(is_match)
        , behaviour_(behaviour) {}
    void split(text_pieces& pieces) const override {
        split_pieces(pieces, behaviour_, false, [&](std::string_view text, auto& matches) {
            matches.clear();
            for (std::size_t at = 0; at < text.size();) {
                const auto begin = at;
                if (is_match_(next_utf8(text, at))) {
                    matches.push_back({begin, at});
                }
            }
        });
    }

private:
    bool (*is_match_)(char32_t);
    split_behaviour behaviour_;
};

/// Splits as GPT-2 does (Radford et al. 2019), and has the model read bytes.
class byte_level_splitter final : public pre_tokenizer {
public:
    explicit byte_level_splitter(const json_part& part): adds_space_(part.flag_or("add_prefix_space", true)) {
        if (part.flag_or("use_regex", true)) {
            words_.emplace(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
        }
    }
    void split(text_pieces& pieces) const override {
        if (adds_space_) {
            add_spaces(pieces);
        }
        if (words_) {
            text_pattern::finder finder(*words_);
            split_pieces(pieces, split_behaviour::isolated, false,
                         [&](std::string_view text, auto& matches) { finder.find_all(text, matches); });
        }
    }
    bool is_byte_level() const override { return true; }

private:
    static void add_spaces(text_pieces& pieces) {
        std::string text;
        text.reserve(pieces.text.size() + pieces.spans.size());
        for (auto& piece : pieces.spans) {
            const auto begin = text.size();
            const auto old = piece.of(pieces.text);
            text += old.starts_with(' ') ? "" : " ";
            text += old;
            piece = {begin, text.size()};
        }
        pieces.text = std::move(text);
    }

    bool adds_space_;
    std::optional<text_pattern> words_;
};

class splitter_sequence final : public pre_tokenizer {
public:
    explicit splitter_sequence(std::vector<std::unique_ptr<const pre_tokenizer>> steps): steps_(std::move(steps)) {}
    void split(text_pieces& pieces) const override {
        for (const auto& step : steps_) {
            step->split(pieces);
        }
    }
    bool is_byte_level() const override { return !steps_.empty() && steps_.back()->is_byte_level(); }

private:
    std::vector<std::unique_ptr<const pre_tokenizer>> steps_;
};

std::unique_ptr<const pre_tokenizer> read_splitter_sequence(const json_part& list) {
    std::vector<std::unique_ptr<const pre_tokenizer>> steps;
    for (const auto& part : list.elements()) {
        if (!steps.empty() && steps.back()->is_byte_level()) {
            part.refuse("comes behind a ByteLevel; a ByteLevel is accepted at the end only");
        }
        steps.push_back(read_pre_tokenizer(part));
    }
    return std::make_unique<splitter_sequence>(std::move(steps));
}

std::unique_ptr<const pre_tokenizer> split_at(bool (*is_match)(char32_t), split_behaviour behaviour) {
    return std::make_unique<character_splitter>(is_match, behaviour);
}

std::unique_ptr<const pre_tokenizer> two_splitters(std::unique_ptr<const pre_tokenizer> first,
                                                   std::unique_ptr<const pre_tokenizer> second) {
    std::vector<std::unique_ptr<const pre_tokenizer>> steps;
    steps.push_back(std::move(first));
    steps.push_back(std::move(second));
    return std::make_unique<splitter_sequence>(std::move(steps));
}

} // namespace

std::unique_ptr<const pre_tokenizer> read_pre_tokenizer(const json_part& part) {
    const auto type = part.text_or("type", "");
    if (type == "Sequence") {
        return read_splitter_sequence(part.at("pretokenizers"));
    }
    if (type == "ByteLevel") {
        return std::make_unique<byte_level_splitter>(part);
    }
    if (type == "Split") {
        return std::make_unique<pattern_splitter>(text_pattern(part.at("pattern")), read_behaviour(part.at("behavior")),
                                                  part.flag_or("invert", false));
    }
    if (type == "Digits") {
        const bool each = part.flag_or("individual_digits", false);
        return split_at(is_number, each ? split_behaviour::isolated : split_behaviour::contiguous);
    }
    if (type == "Punctuation") {
        const auto behaviour = part.find("behavior");
        return split_at(is_punctuation_or_ascii_symbol,
                        behaviour ? read_behaviour(*behaviour) : split_behaviour::isolated);
    }
    if (type == "WhitespaceSplit") {
        return split_at(is_white_space, split_behaviour::removed);
    }
    if (type == "Whitespace") {
        return two_splitters(split_at(is_white_space, split_behaviour::removed),
                             split_at(is_word_character, split_behaviour::contiguous));
    }
    if (type == "BertPreTokenizer") {
        return two_splitters(split_at(is_white_space, split_behaviour::removed),
                             split_at(is_punctuation_or_ascii_symbol, split_behaviour::isolated));
    }
    part.refuse_type("pre_tokenizer", "ByteLevel, Split, Digits, BertPreTokenizer, Punctuation, Whitespace, "
                                      "WhitespaceSplit, Sequence, null");
}

} // namespace gaisnet
