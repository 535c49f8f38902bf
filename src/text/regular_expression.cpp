#include "text/regular_expression.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <unicode/uregex.h>

#include <cctype>
#include <mutex>
#include <utility>

namespace gaisnet {

namespace {

/// What Oniguruma calls a character of a word, with some of Latin-1's numbers; ICU's `\w` has joiners instead.
constexpr const char* onig_word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u00b2\u00b3\u00b9\u00bc-\u00be)";
/// Escapes with a letter that mean the same to both.
constexpr std::string_view common_escapes = "dDsSpPnrtfaexubBAzZ";
/// ICU keeps a stack for going back; this is the most of it, in bytes, that a match may need.
constexpr std::int32_t matching_memory = 64'000'000;

struct uregex_closer {
    void operator()(URegularExpression* expression) const { uregex_close(expression); }
};
using uregex_handle = std::unique_ptr<URegularExpression, uregex_closer>;

[[noreturn]] void refuse_expression(const std::string& expression, const std::string& problem) {
    throw usage_error("the regular expression " + printable(expression) + " " + problem);
}

/// Whether an interval, as {1,3}, ends right before `at`. (A class, as \p{L}, does not count.)
bool is_behind_interval(const std::string& expression, std::size_t at) {
    const auto open = at > 0 && expression[at - 1] == '}' ? expression.rfind('{', at) : std::string::npos;
    return open != std::string::npos && std::isdigit(static_cast<unsigned char>(expression[open + 1])) != 0;
}

/// The expression in ICU's syntax.
std::string for_icu(const std::string& expression) {
    std::string out;
    int sets = 0; // how many [ are open
    for (std::size_t i = 0; i < expression.size(); ++i) {
        const char symbol = expression[i];
        if (symbol == '\\' && i + 1 < expression.size()) {
            const char escaped = expression[++i];
            const bool letter = std::isalnum(static_cast<unsigned char>(escaped)) != 0;
            if (escaped == 'w') {
                out += sets > 0 ? onig_word : std::string("[") + onig_word + "]";
            } else if (escaped == 'W') {
                out += std::string("[^") + onig_word + "]";
            } else if (letter && common_escapes.find(escaped) == std::string_view::npos) {
                refuse_expression(expression, std::string("has the escape \\") + escaped +
                                                  "; accepted: \\w, \\W and \\" + std::string(common_escapes));
            } else {
                out += {'\\', escaped};
            }
            continue;
        }
        if (expression.compare(i, 2, "[:") == 0) {
            refuse_expression(expression, "has a class in POSIX brackets; accepted: \\p{...}");
        }
        if (symbol == '[') {
            ++sets;
        } else if (symbol == ']' && sets > 0) {
            --sets;
        } else if (sets == 0 && symbol == '+' && is_behind_interval(expression, i)) {
            refuse_expression(expression, "repeats an interval with }+; accepted: an interval alone");
        } else if (sets == 0 && expression.compare(i, 3, "(?m") == 0) {
            refuse_expression(expression, "has the option m; accepted: (?i:...)");
        }
        out += symbol;
    }
    return out;
}

} // namespace

class regular_expression::matcher_state {
public:
    explicit matcher_state(uregex_handle copy): expression(std::move(copy)) {}
    uregex_handle expression;
    std::u16string text;
};

struct regular_expression::shared_state {
    std::string source; ///< For messages.
    uregex_handle compiled;
    std::mutex guard;
    std::vector<std::unique_ptr<matcher_state>> free; ///< Guarded.
};

regular_expression::regular_expression(const std::string& expression): shared_(std::make_unique<shared_state>()) {
    shared_->source = expression;
    if (find_invalid_utf8(expression)) {
        refuse_expression(expression, "is not UTF-8");
    }
    std::u16string pattern;
    append_utf16(pattern, for_icu(expression));
    UParseError where{};
    auto status = U_ZERO_ERROR;
    shared_->compiled.reset(uregex_open(pattern.data(), static_cast<std::int32_t>(pattern.size()),
                                        UREGEX_MULTILINE | UREGEX_UNIX_LINES, &where, &status));
    if (U_FAILURE(status)) {
        refuse_expression(expression, std::string("cannot be compiled by ICU: ") + u_errorName(status));
    }
    uregex_setStackLimit(shared_->compiled.get(), matching_memory, &status);
}

regular_expression::~regular_expression() = default;

regular_expression::matcher regular_expression::borrow() const {
    const matcher::give_back later{this};
    const std::lock_guard lock(shared_->guard);
    if (!shared_->free.empty()) {
        auto state = std::move(shared_->free.back());
        shared_->free.pop_back();
        return matcher({state.release(), later});
    }
    auto status = U_ZERO_ERROR;
    uregex_handle copy(uregex_clone(shared_->compiled.get(), &status));
    ensure(U_SUCCESS(status), "ICU copies a regular expression");
    return matcher({std::make_unique<matcher_state>(std::move(copy)).release(), later});
}

void regular_expression::matcher::give_back::operator()(matcher_state* state) const {
    std::unique_ptr<matcher_state> owned(state);
    const std::lock_guard lock(owner->shared_->guard);
    owner->shared_->free.push_back(std::move(owned));
}

void regular_expression::matcher::find_all(std::string_view text, std::vector<text_span>& matches) {
    matches.clear();
    auto& utf16 = state_->text;
    auto* expression = state_->expression.get();
    utf16.clear();
    append_utf16(utf16, text);
    const bool ascii = utf16.size() == text.size();
    auto status = U_ZERO_ERROR;
    uregex_setText(expression, utf16.data(), static_cast<std::int32_t>(utf16.size()), &status);
    std::size_t unit = 0; // how far it is known which unit of UTF-16 ...
    std::size_t byte = 0; // ... is which byte
    const auto to_byte = [&](std::int32_t offset) {
        const auto wanted = static_cast<std::size_t>(offset);
        if (ascii) {
            return wanted;
        }
        while (unit < wanted) {
            const auto length = utf8_length(text[byte]);
            unit += length == 4 ? 2 : 1;
            byte += length;
        }
        return byte;
    };
    while (uregex_findNext(expression, &status) != 0) {
        const auto begin = to_byte(uregex_start(expression, 0, &status));
        const auto end = to_byte(uregex_end(expression, 0, &status));
        if (begin != end || matches.empty() || matches.back().end != begin) {
            matches.push_back({begin, end});
        }
    }
    if (U_FAILURE(status)) {
        throw usage_error("the regular expression " + printable(state_.get_deleter().owner->shared_->source) +
                          " cannot be matched with a text of " + std::to_string(text.size()) +
                          " bytes: " + u_errorName(status));
    }
}

void append_utf16(std::u16string& out, std::string_view text) {
    out.reserve(out.size() + text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        if (first < 0x80) {
            out += static_cast<char16_t>(first);
            ++at;
            continue;
        }
        const auto code = static_cast<std::uint32_t>(next_utf8(text, at));
        if (code < 0x10000) {
            out += static_cast<char16_t>(code);
        } else {
            out += static_cast<char16_t>(0xd7c0U + (code >> 10));
            out += static_cast<char16_t>(0xdc00U | (code & 0x3ffU));
        }
    }
}

} // namespace gaisnet
