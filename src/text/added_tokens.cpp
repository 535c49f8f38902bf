#include "text/added_tokens.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "text/unicode.hpp"

#include <algorithm>
#include <utility>

namespace gaisnet {

namespace {

std::size_t start_of_last_character(std::string_view text) {
    auto at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80) {
        --at;
    }
    return at;
}

bool ends_with_word(std::string_view text) {
    auto at = text.empty() ? 0 : start_of_last_character(text);
    return !text.empty() && is_word_character(next_utf8(text, at));
}

bool begins_with_word(std::string_view text) {
    std::size_t at = 0;
    return !text.empty() && is_word_character(next_utf8(text, at));
}

/// Where the white space at the end of a text begins.
std::size_t space_at_end(std::string_view text) {
    while (!text.empty()) {
        const auto begin = start_of_last_character(text);
        auto at = begin;
        if (!is_white_space(next_utf8(text, at))) {
            break;
        }
        text = text.substr(0, begin);
    }
    return text.size();
}

/// Where the white space at the beginning of a text ends.
std::size_t space_at_start(std::string_view text) {
    std::size_t end = 0;
    for (auto at = end; at < text.size() && is_white_space(next_utf8(text, at));) {
        end = at;
    }
    return end;
}

} // namespace

void added_tokens::tree::put(const added_token& token) {
    begins[static_cast<unsigned char>(token.looked_for[0])] = true;
    std::size_t at = 0;
    for (const char byte : token.looked_for) {
        const auto next = nodes[at].next.emplace(static_cast<unsigned char>(byte), nodes.size()).first->second;
        if (next == nodes.size()) {
            nodes.emplace_back();
        }
        at = next;
    }
    if (nodes[at].token == nullptr) {
        nodes[at].token = &token;
    }
}

std::pair<const added_token*, std::size_t> added_tokens::tree::find(std::string_view text, std::size_t at) const {
    std::pair<const added_token*, std::size_t> longest{nullptr, 0};
    std::size_t node = 0;
    for (auto end = at; end < text.size();) {
        const auto next = nodes[node].next.find(static_cast<unsigned char>(text[end]));
        if (next == nodes[node].next.end()) {
            break;
        }
        node = next->second;
        ++end;
        if (nodes[node].token != nullptr) {
            longest = {nodes[node].token, end - at};
        }
    }
    return longest;
}

added_tokens::added_tokens(const std::optional<json_part>& part, const vocabulary& model, const normaliser* normal) {
    if (part) {
        read(*part, model);
    }
    for (std::size_t i = 0; i < tokens_.size(); ++i) { // they do not move any more
        auto& token = tokens_[i];
        by_id_[token.id] = i;
        token.looked_for = token.content;
        if (token.normalized && normal != nullptr) {
            normal->apply(token.looked_for);
        }
        if (token.looked_for.empty()) {
            part->refuse("has the token " + printable(token.content) +
                         ", of which the normalizer leaves nothing; give it \"normalized\": false");
        }
        (token.normalized ? in_normalised_ : in_text_).put(token);
    }
}

void added_tokens::read(const json_part& list, const vocabulary& model) {
    auto next = static_cast<std::int32_t>(model.size());
    text_map<std::int32_t> known;
    for (const auto& part : list.elements()) {
        added_token token;
        token.content = part.at("content").text();
        token.id = static_cast<std::int32_t>(part.at("id").count());
        token.single_word = part.flag_or("single_word", false);
        token.lstrip = part.flag_or("lstrip", false);
        token.rstrip = part.flag_or("rstrip", false);
        token.special = part.flag_or("special", false);
        token.normalized = part.flag_or("normalized", !token.special);
        if (token.content.empty()) {
            part.refuse("has no content");
        }
        if (!known.emplace(token.content, token.id).second) {
            part.refuse("names " + printable(token.content) + " a second time");
        }
        const auto of_model = model.find(token.content);
        const auto expected = of_model.value_or(next);
        if (token.id != expected) {
            part.refuse("gives " + printable(token.content) + " the id " + std::to_string(token.id) + ", but " +
                        (of_model ? "the model's vocabulary has it with the id " + std::to_string(expected)
                                  : std::to_string(expected) + " is the next one that is free"));
        }
        next += of_model ? 0 : 1;
        tokens_.push_back(std::move(token));
    }
}

const added_token* added_tokens::find(std::int32_t id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

void added_tokens::split(std::string_view text, bool is_normalised, std::vector<text_section>& sections) const {
    sections.clear();
    const auto& wanted = is_normalised ? in_normalised_ : in_text_;
    std::size_t done = 0; // what lies before belongs to a section
    for (std::size_t at = 0; at < text.size() && wanted.nodes.size() > 1;) {
        const auto [token, length] = wanted.begins[static_cast<unsigned char>(text[at])]
                                         ? wanted.find(text, at)
                                         : std::pair<const added_token*, std::size_t>{};
        if (token == nullptr) {
            ++at;
            continue;
        }
        auto begin = at;
        auto end = at + length;
        at = end;
        if (token->single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) {
            continue;
        }
        if (token->lstrip) {
            begin = std::max(space_at_end(text.substr(0, begin)), done);
        }
        if (token->rstrip) {
            end += space_at_start(text.substr(end));
        }
        if (done < begin) {
            sections.push_back({{done, begin}, -1});
        }
        sections.push_back({{begin, end}, token->id});
        done = end;
    }
    if (done != text.size()) {
        sections.push_back({{done, text.size()}, -1});
    }
}

} // namespace gaisnet
