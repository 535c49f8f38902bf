#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A part of a text, in bytes.
struct text_span {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t size() const { return end - begin; }
    std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};

/// A regular expression of a tokenizer's file. Such files are written for Oniguruma (Ruby's syntax); ICU runs them here.
/// Where the two differ the expression is translated (`\w`), run with ICU's options for Ruby's meaning (`^`, `$` and `.`
/// know only line feeds), or refused (possessive intervals, back-references, rare escapes).
/// Letters, numbers and other classes are those of ICU's Unicode version.
class regular_expression {
public:
    /// \throws usage_error that names the expression and what is wrong with it.
    explicit regular_expression(const std::string& expression);
    ~regular_expression();
    regular_expression(const regular_expression&) = delete;
    regular_expression& operator=(const regular_expression&) = delete;

    class matcher_state;
    /// Finds matches; for one thread at a time. It must not outlive its expression.
    class matcher {
    public:
        /// All matches from left to right, none overlapping another, and none empty where the last one ended. `text` has
        /// to be UTF-8. What stands before and behind it is unknown to the expression. \throws usage_error when the
        /// matching needs too much memory.
        void find_all(std::string_view text, std::vector<text_span>& matches);

    private:
        friend class regular_expression;
        struct give_back {
            const regular_expression* owner;
            void operator()(matcher_state*) const;
        };
        explicit matcher(std::unique_ptr<matcher_state, give_back> state): state_(std::move(state)) {}
        std::unique_ptr<matcher_state, give_back> state_;
    };
    /// A matcher, new or one that was used before. Thread-safe.
    matcher borrow() const;

private:
    struct shared_state;
    std::unique_ptr<shared_state> shared_;
};

/// Appends text as UTF-16. `text` has to be UTF-8.
void append_utf16(std::u16string& out, std::string_view text);

} // namespace gaisnet
