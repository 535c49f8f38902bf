#pragma once

#include "base/error.hpp"
#include "base/indexed.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace gaisnet {

class byte_writer;
class byte_reader;

/// A type that packs itself: `void write(byte_writer&) const` and `static T read(byte_reader&)`.
template <typename T>
concept packs_itself = requires(const T& value, byte_writer& out, byte_reader& in) {
    value.write(out);
    { T::read(in) } -> std::same_as<T>;
};

/// A type that lists its parts: `static auto parts(auto& self) { return std::tie(self.a, self.b); }`.
template <typename T>
concept has_parts = requires(T& value) {
    T::parts(value);
};

namespace bytes {
template <typename T>
struct packing; ///< Packs containers; see below.
}

/// Packs values into bytes, for messages between ranks of one program on one kind of machine: plain values, types that
/// pack themselves or list their parts, and strings, vectors, maps, pairs and optionals of these.
class byte_writer {
public:
    template <typename T>
    void put(const T& value) {
        if constexpr (packs_itself<T>) {
            value.write(*this);
        } else if constexpr (has_parts<T>) {
            std::apply([this](const auto&... part) { (put(part), ...); }, T::parts(value));
        } else if constexpr (std::is_trivially_copyable_v<T>) {
            append(&value, sizeof value);
        } else {
            bytes::packing<T>::put(*this, value);
        }
    }
    void append(const void* data, std::size_t size) {
        const auto* first = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), first, first + size);
    }
    std::vector<std::byte> take() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

/// Reads what byte_writer wrote, in the same order. \throws runtime_failure when the bytes end too early.
class byte_reader {
public:
    explicit byte_reader(const std::vector<std::byte>& bytes): bytes_(bytes) {}

    template <typename T>
    T get() {
        if constexpr (packs_itself<T>) {
            return T::read(*this);
        } else if constexpr (has_parts<T>) {
            T value;
            std::apply([this](auto&... part) { ((part = get<std::remove_cvref_t<decltype(part)>>()), ...); },
                       T::parts(value));
            return value;
        } else if constexpr (std::is_trivially_copyable_v<T>) {
            T value;
            copy(&value, sizeof value);
            return value;
        } else {
            return bytes::packing<T>::get(*this);
        }
    }
    template <typename T>
    std::vector<T> get_list() {
        return get<std::vector<T>>();
    }
    void copy(void* to, std::size_t size) {
        if (size > bytes_.size() - at_) {
            throw runtime_failure("a message between ranks is shorter than it should be");
        }
        if (size > 0) {
            std::memcpy(to, bytes_.data() + at_, size);
        }
        at_ += size;
    }
    bool done() const { return at_ == bytes_.size(); }

private:
    const std::vector<std::byte>& bytes_;
    std::size_t at_ = 0;
};

namespace bytes {

template <>
struct packing<std::string> {
    static void put(byte_writer& out, const std::string& text) {
        out.put(static_cast<std::uint64_t>(text.size()));
        out.append(text.data(), text.size());
    }
    static std::string get(byte_reader& in) {
        std::string text(in.get<std::uint64_t>(), '\0');
        in.copy(text.data(), text.size());
        return text;
    }
};

template <typename T>
struct packing<std::vector<T>> {
    static void put(byte_writer& out, const std::vector<T>& list) {
        out.put(static_cast<std::uint64_t>(list.size()));
        for (const auto& item : list) {
            out.put<T>(item);
        }
    }
    static std::vector<T> get(byte_reader& in) {
        std::vector<T> list;
        for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
            list.push_back(in.get<T>());
        }
        return list;
    }
};

template <typename T>
struct packing<indexed<T>> {
    static void put(byte_writer& out, const indexed<T>& list) { out.put<std::vector<T>>(list); }
    static indexed<T> get(byte_reader& in) { return in.get<std::vector<T>>(); }
};

template <typename Key, typename T>
struct packing<std::map<Key, T>> {
    static void put(byte_writer& out, const std::map<Key, T>& map) {
        out.put(static_cast<std::uint64_t>(map.size()));
        for (const auto& [key, value] : map) {
            out.put<Key>(key);
            out.put<T>(value);
        }
    }
    static std::map<Key, T> get(byte_reader& in) {
        std::map<Key, T> map;
        for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
            auto key = in.get<Key>();
            map.emplace(std::move(key), in.get<T>());
        }
        return map;
    }
};

template <typename A, typename B>
struct packing<std::pair<A, B>> {
    static void put(byte_writer& out, const std::pair<A, B>& pair) {
        out.put<A>(pair.first);
        out.put<B>(pair.second);
    }
    static std::pair<A, B> get(byte_reader& in) {
        auto first = in.get<A>();
        return {std::move(first), in.get<B>()};
    }
};

template <typename T>
struct packing<std::optional<T>> {
    static void put(byte_writer& out, const std::optional<T>& value) {
        out.put(value.has_value());
        if (value) {
            out.put<T>(*value);
        }
    }
    static std::optional<T> get(byte_reader& in) {
        return in.get<bool>() ? std::optional<T>(in.get<T>()) : std::nullopt;
    }
};

} // namespace bytes

} // namespace gaisnet
