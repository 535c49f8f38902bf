#include "base/utf8.hpp"

#include <cstring>

namespace gaisnet {

namespace {

/// What stands at a place of a text.
struct utf8_step {
    std::size_t bytes;  ///< Of the character, or of the longest beginning of one; at least 1.
    bool complete;      ///< It is a character.
    bool ends_too_soon; ///< It would be one if the text went on.
};

utf8_step step_at(std::string_view text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
        return {1, true, false};
    }
    if (first < 0xc2 || first > 0xf4) {
        return {1, false, false};
    }
    const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    // The second byte excludes overlong forms, surrogates and what lies above U+10FFFF.
    const unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (std::size_t i = 1; i < length; ++i) {
        if (at + i == text.size()) {
            return {i, false, true};
        }
        const auto byte = static_cast<unsigned char>(text[at + i]);
        if (byte < (i == 1 ? lowest : 0x80) || byte > (i == 1 ? highest : 0xbf)) {
            return {i, false, false};
        }
    }
    return {length, true, false};
}

} // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        std::uint64_t eight = 0; // most text is ASCII
        if (text.size() - at >= sizeof eight) {
            std::memcpy(&eight, text.data() + at, sizeof eight);
            if ((eight & 0x8080808080808080U) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const auto step = step_at(text, at);
        if (!step.complete) {
            return at;
        }
        at += step.bytes;
    }
    return std::nullopt;
}

std::size_t unfinished_utf8(std::string_view text) {
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xc0U) != 0x80) {
            const auto step = step_at(text, text.size() - back);
            return step.ends_too_soon && step.bytes == back ? back : 0;
        }
    }
    return 0;
}

std::string valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (std::size_t at = 0; at < bytes.size();) {
        const auto step = step_at(bytes, at);
        text += step.complete ? bytes.substr(at, step.bytes) : std::string_view("\xef\xbf\xbd");
        at += step.bytes;
    }
    return text;
}

std::size_t count_invalid_utf8(std::string_view bytes) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto step = step_at(bytes, at);
        count += step.complete ? 0U : 1U;
        at += step.bytes;
    }
    return count;
}

void append_utf8(std::string& text, char32_t code) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
    const auto value = static_cast<std::uint32_t>(code);
    if (value < 0x80) {
        put(value);
    } else if (value < 0x800) {
        put(0xc0U | value >> 6);
        put(0x80U | (value & 0x3fU));
    } else if (value < 0x10000) {
        put(0xe0U | value >> 12);
        put(0x80U | (value >> 6 & 0x3fU));
        put(0x80U | (value & 0x3fU));
    } else {
        put(0xf0U | value >> 18);
        put(0x80U | (value >> 12 & 0x3fU));
        put(0x80U | (value >> 6 & 0x3fU));
        put(0x80U | (value & 0x3fU));
    }
}

} // namespace gaisnet
