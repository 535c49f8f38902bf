#include "text/byte_level.hpp"

#include "base/utf8.hpp"

#include <array>

namespace gaisnet {

namespace {

struct byte_alphabet {
    std::array<std::string, 256> character;
    std::array<int, 512> byte{}; ///< By code point; -1 where a character is not of the alphabet.

    byte_alphabet() {
        byte.fill(-1);
        char32_t next = 0x100;
        for (int value = 0; value < 256; ++value) {
            const bool visible = (value >= 0x21 && value <= 0x7e) || (value >= 0xa1 && value != 0xad);
            const auto code = visible ? static_cast<char32_t>(value) : next++;
            append_utf8(character[static_cast<std::size_t>(value)], code);
            byte[code] = value;
        }
    }
};

const byte_alphabet& the_alphabet() {
    static const byte_alphabet alphabet;
    return alphabet;
}

} // namespace

const std::string& byte_level_character(unsigned char byte) { return the_alphabet().character[byte]; }

std::string to_byte_level(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        text += byte_level_character(static_cast<unsigned char>(byte));
    }
    return text;
}

void append_from_byte_level(std::string& bytes, std::string_view text) {
    const auto& alphabet = the_alphabet();
    const auto old_size = bytes.size();
    for (std::size_t at = 0; at < text.size();) {
        const auto code = next_utf8(text, at);
        const int byte = code < alphabet.byte.size() ? alphabet.byte[code] : -1;
        if (byte < 0) {
            bytes.resize(old_size);
            bytes += text;
            return;
        }
        bytes += static_cast<char>(static_cast<unsigned char>(byte));
    }
}

} // namespace gaisnet
