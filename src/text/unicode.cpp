#include "text/unicode.hpp"

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "text/regular_expression.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uset.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace gaisnet {

namespace {

/// Whether a character has one of these categories (U_GC_P_MASK and others).
bool has_category(char32_t code, std::uint32_t mask) { return (U_GET_GC_MASK(static_cast<UChar32>(code)) & mask) != 0; }

/// Whether Unicode had the character in this version (x.0) or before.
bool is_of_version(char32_t code, int version) {
    UVersionInfo age{};
    u_charAge(static_cast<UChar32>(code), age);
    return age[0] > 0 && (age[0] < version || (age[0] == version && age[1] == 0));
}

struct normaliser_closer {
    void operator()(UNormalizer2* normaliser) const { unorm2_close(normaliser); }
};
struct uset_closer {
    void operator()(USet* set) const { uset_close(set); }
};

/// ICU's normalisation, restricted to characters of Unicode 9.
const UNormalizer2* unicode_9_normaliser(normal_form form) {
    struct all_forms {
        std::unique_ptr<USet, uset_closer> characters;
        std::unique_ptr<UNormalizer2, normaliser_closer> forms[4];
        all_forms() {
            auto status = U_ZERO_ERROR;
            constexpr std::u16string_view pattern = u"[:age=9.0:]"; // of 9.0 or before
            characters.reset(uset_openPattern(pattern.data(), static_cast<std::int32_t>(pattern.size()), &status));
            uset_freeze(characters.get());
            const UNormalizer2* of_icu[] = {unorm2_getNFCInstance(&status), unorm2_getNFDInstance(&status),
                                            unorm2_getNFKCInstance(&status), unorm2_getNFKDInstance(&status)};
            for (std::size_t i = 0; i < 4; ++i) {
                forms[i].reset(unorm2_openFiltered(of_icu[i], characters.get(), &status));
            }
            ensure(U_SUCCESS(status), "ICU has the normal forms");
        }
    };
    static const all_forms all;
    return all.forms[static_cast<std::size_t>(form)].get();
}

} // namespace

bool is_white_space(char32_t code) { return u_isUWhiteSpace(static_cast<UChar32>(code)) != 0; }

bool is_number(char32_t code) { return has_category(code, U_GC_N_MASK); }

bool is_word_character(char32_t code) {
    return u_isUAlphabetic(static_cast<UChar32>(code)) != 0 ||
           has_category(code, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) || code == 0x200c || code == 0x200d;
}

bool is_punctuation_or_ascii_symbol(char32_t code) {
    if (code < 0x80) {
        return has_category(code, U_GC_P_MASK | U_GC_S_MASK);
    }
    // The last two were punctuation once.
    return (has_category(code, U_GC_P_MASK) && is_of_version(code, 8)) || code == 0x166d || code == 0x111c9;
}

bool is_control(char32_t code) {
    return has_category(code, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK) && is_of_version(code, 8);
}

bool is_nonspacing_mark(char32_t code) {
    if (code == 0x1885 || code == 0x1886 || code == 0xa9bd || code == 0x111c9) {
        return false; // they became such marks later
    }
    return (has_category(code, U_GC_MN_MASK) && is_of_version(code, 8)) || code == 0x1734;
}

bool is_combining_mark(char32_t code) {
    if (code == 0x111c9) {
        return false;
    }
    return (has_category(code, U_GC_M_MASK) && is_of_version(code, 9)) || code == 0x1cf2 || code == 0x1cf3;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string lower_case(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto code = next_utf8(text, at);
        if (code < 0x80) {
            out += static_cast<char>(code >= U'A' && code <= U'Z' ? code + 32 : code);
        } else if (code == 0x130) { // the only one that becomes two
            out += "i\xcc\x87";
        } else {
            append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(code))));
        }
    }
    return out;
}

std::string normalised(std::string_view text, normal_form form) {
    if (is_ascii(text)) {
        return std::string(text);
    }
    std::u16string source;
    append_utf16(source, text);
    const auto* normaliser = unicode_9_normaliser(form);
    const auto length = static_cast<std::int32_t>(source.size());
    auto status = U_ZERO_ERROR;
    const auto unchanged = unorm2_spanQuickCheckYes(normaliser, source.data(), length, &status);
    if (U_SUCCESS(status) && unchanged == length) {
        return std::string(text);
    }
    std::u16string target(source.size() + source.size() / 4 + 16, u'\0');
    for (;;) {
        status = U_ZERO_ERROR;
        const auto needed = unorm2_normalize(normaliser, source.data(), length, target.data(),
                                             static_cast<std::int32_t>(target.size()), &status);
        target.resize(static_cast<std::size_t>(needed));
        if (status != U_BUFFER_OVERFLOW_ERROR) {
            break;
        }
    }
    ensure(U_SUCCESS(status), "ICU normalises UTF-16");
    std::string out(target.size() * 3, '\0'); // a unit of UTF-16 has at most three bytes
    std::int32_t bytes = 0;
    u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &bytes, target.data(),
                static_cast<std::int32_t>(target.size()), &status);
    ensure(U_SUCCESS(status), "ICU writes UTF-8");
    out.resize(static_cast<std::size_t>(bytes));
    return out;
}

} // namespace gaisnet
