#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace gaisnet {

/// Packs plain values, strings and lists into bytes, for messages between ranks of one program on one kind of machine.
class byte_writer {
public:
    template <typename T>
    void put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        append(&value, sizeof value);
    }
    void put(const std::string& text) {
        put(static_cast<std::uint64_t>(text.size()));
        append(text.data(), text.size());
    }
    template <typename T>
    void put(const std::vector<T>& list) {
        put(static_cast<std::uint64_t>(list.size()));
        for (const auto& item : list) {
            put(item);
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

/// Reads what byte_writer wrote, in the same order. \throws runtime_failure when there is less.
class byte_reader {
public:
    explicit byte_reader(const std::vector<std::byte>& bytes): bytes_(bytes) {}

    template <typename T>
    T get() {
        if constexpr (std::is_same_v<T, std::string>) {
            const auto size = get<std::uint64_t>();
            std::string text(size, '\0');
            copy(text.data(), size);
            return text;
        } else {
            static_assert(std::is_trivially_copyable_v<T>);
            T value;
            copy(&value, sizeof value);
            return value;
        }
    }
    template <typename T>
    std::vector<T> get_list() {
        std::vector<T> list;
        for (auto left = get<std::uint64_t>(); left > 0; --left) {
            list.push_back(get<T>());
        }
        return list;
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

} // namespace gaisnet
