#pragma once

#include <cstddef>

namespace gaisnet {

/// A word and the value that it stands for. The names of an enum are declared once, as a list of these.
template <typename T>
struct word {
    const char* text;
    T value;
};

template <typename T, std::size_t count>
constexpr const char* name_in(const word<T> (&words)[count], T value) {
    for (const auto& one : words) {
        if (one.value == value) {
            return one.text;
        }
    }
    return "unknown";
}

} // namespace gaisnet
