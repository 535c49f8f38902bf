#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace gaisnet {

/// The extents of a tensor: a short list that needs no memory of its own, since every message has one.
class tensor_shape {
public:
    using value_type = std::int64_t;
    using const_iterator = const std::int64_t*;
    static constexpr std::size_t most = 6; ///< Dimensions.

    tensor_shape() = default;
    tensor_shape(std::initializer_list<std::int64_t> extents) { assign(extents.begin(), extents.end()); }
    tensor_shape(const std::vector<std::int64_t>& extents) { // NOLINT(google-explicit-constructor)
        assign(extents.begin(), extents.end());
    }
    template <typename Iterator>
    tensor_shape(Iterator first, Iterator last) {
        assign(first, last);
    }
    operator std::vector<std::int64_t>() const { return {begin(), end()}; } // NOLINT(google-explicit-constructor)

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const std::int64_t* data() const { return extents_.data(); }
    const std::int64_t* begin() const { return extents_.data(); }
    const std::int64_t* end() const { return extents_.data() + size_; }
    std::int64_t* begin() { return extents_.data(); }
    std::int64_t* end() { return extents_.data() + size_; }
    std::int64_t& operator[](std::size_t dimension) { return extents_[dimension]; }
    std::int64_t operator[](std::size_t dimension) const { return extents_[dimension]; }
    std::int64_t& front() { return extents_.front(); }
    std::int64_t front() const { return extents_.front(); }
    std::int64_t back() const { return extents_[size_ - 1U]; }

    bool operator==(const tensor_shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

    void write(byte_writer& out) const { out.put(std::vector<std::int64_t>(*this)); }
    static tensor_shape read(byte_reader& in) { return in.get<std::vector<std::int64_t>>(); }

private:
    template <typename Iterator>
    void assign(Iterator first, Iterator last) {
        ensure(last - first <= static_cast<std::ptrdiff_t>(most), "a message's tensor has at most 6 dimensions");
        size_ = static_cast<std::uint8_t>(last - first);
        std::copy(first, last, extents_.begin());
    }

    std::array<std::int64_t, most> extents_{};
    std::uint8_t size_ = 0;
};

} // namespace gaisnet
