#include "text/text_pattern.hpp"

#include "base/error.hpp"

namespace gaisnet {

text_pattern::text_pattern(const json_part& pattern) {
    if (const auto string = pattern.find("String")) {
        string_ = string->text();
        if (string_.empty()) {
            string->refuse("is empty; a text to look for is accepted");
        }
    } else if (const auto regex = pattern.find("Regex")) {
        try {
            expression_ = std::make_unique<const regular_expression>(regex->text());
        } catch (const usage_error& problem) {
            regex->refuse(std::string("cannot be used: ") + problem.what());
        }
    } else {
        pattern.refuse("has neither 'String' nor 'Regex'");
    }
}

text_pattern::text_pattern(const std::string& expression)
    : expression_(std::make_unique<const regular_expression>(expression)) {}

text_pattern::finder::finder(const text_pattern& pattern): pattern_(&pattern) {
    if (pattern.expression_) {
        matcher_ = pattern.expression_->borrow();
    }
}

void text_pattern::finder::find_all(std::string_view text, std::vector<text_span>& matches) {
    if (matcher_) {
        matcher_->find_all(text, matches);
        return;
    }
    matches.clear();
    const auto& wanted = pattern_->string_;
    for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + wanted.size())) {
        matches.push_back({at, at + wanted.size()});
    }
}

std::string text_pattern::replaced(std::string_view text, std::string_view content) const {
    std::vector<text_span> matches;
    finder(*this).find_all(text, matches);
    std::string out;
    std::size_t copied = 0;
    for (const auto& match : matches) {
        out += text.substr(copied, match.begin - copied);
        out += content;
        copied = match.end;
    }
    return out += text.substr(copied);
}

} // namespace gaisnet
