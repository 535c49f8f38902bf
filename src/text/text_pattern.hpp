#pragma once

#include "text/json_part.hpp"
#include "text/regular_expression.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// What a part of a tokenizer looks for: {"String": ...} or {"Regex": ...} in its file.
class text_pattern {
public:
    /// \throws usage_error.
    explicit text_pattern(const json_part& pattern);
    /// A regular expression that no file gives.
    explicit text_pattern(const std::string& expression);

    /// Finds matches; for one thread at a time. It must not outlive its pattern.
    class finder {
    public:
        explicit finder(const text_pattern&);
        /// All matches from left to right, none overlapping another.
        void find_all(std::string_view text, std::vector<text_span>& matches);

    private:
        const text_pattern* pattern_;
        std::optional<regular_expression::matcher> matcher_;
    };

    /// The text with `content` in place of every match.
    std::string replaced(std::string_view text, std::string_view content) const;

private:
    std::string string_;                                   ///< Looked for unless there is an expression.
    std::unique_ptr<const regular_expression> expression_; ///< May be null.
};

} // namespace gaisnet
