#pragma once

#include "base/bytes.hpp"
#include "base/tensor_shape.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>

namespace gaisnet {

enum class element_type : std::uint8_t { float32, int64, uint8 };

/// Where a tensor's bytes are. Each rank has one device at most.
enum class memory_space : std::uint8_t { host, device };

constexpr std::size_t element_bytes(element_type type) {
    return type == element_type::float32 ? 4 : type == element_type::int64 ? 8 : 1;
}

/// A dense row-major tensor that needs no tensor library: messages carry it, and stages take and return it. In the
/// ledger pass it has a shape and no data; in the tensor pass `data` points into memory that `owner` keeps alive (a
/// torch tensor, a receive buffer). Receivers must not write to it, because a sender on the same rank may share it.
struct tensor_view {
    element_type type = element_type::float32;
    tensor_shape shape; ///< Empty shape with no data means "nothing".
    std::byte* data = nullptr;
    std::shared_ptr<void> owner;
    memory_space memory = memory_space::host;

    std::int64_t elements() const {
        return shape.empty() ? 0 : std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>{});
    }
    std::size_t bytes() const { return static_cast<std::size_t>(elements()) * element_bytes(type); }
    bool empty() const { return shape.empty(); }

    /// A shape without data, as the ledger pass uses it.
    static tensor_view shape_only(const tensor_shape& shape, element_type type = element_type::float32) {
        return {type, shape, nullptr, nullptr, memory_space::host};
    }
    /// Uninitialised host memory of that shape.
    static tensor_view allocate(const tensor_shape& shape, element_type type = element_type::float32) {
        auto view = shape_only(shape, type);
        auto memory = std::shared_ptr<std::byte[]>(new std::byte[view.bytes()]);
        view.data = memory.get();
        view.owner = std::move(memory);
        return view;
    }
    /// Type, shape and bytes of a tensor in host memory.
    void write(byte_writer& out) const {
        out.put(type);
        out.put(shape);
        out.append(data, bytes());
    }
    static tensor_view read(byte_reader& in) {
        const auto type = in.get<element_type>();
        auto view = allocate(in.get<tensor_shape>(), type);
        in.copy(view.data, view.bytes());
        return view;
    }
    template <typename T>
    T* as() const {
        return reinterpret_cast<T*>(data);
    }
};

/// Makes uninitialised memory for a tensor of that type and shape.
using tensor_allocator = std::function<tensor_view(const tensor_shape&, element_type, memory_space)>;

} // namespace gaisnet
