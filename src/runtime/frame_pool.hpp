#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace gaisnet {

/// Memory of finished coroutines, for the next ones: a thread keeps what it has taken, by size. Passes make and end
/// millions of frames of a few sizes, each somewhere else, which general allocators are slow at.
class frame_pool {
public:
    static void* take(std::size_t bytes);
    static void give_back(void* frame, std::size_t bytes) noexcept;

private:
    struct spare {
        spare* next;
    };
    static constexpr std::size_t step = 64, most = 4096; ///< Bytes; larger frames are not kept.
    struct lists {
        std::array<spare*, most / step> of_size{};
        lists() = default;
        lists(const lists&) = delete;
        lists& operator=(const lists&) = delete;
        ~lists();
    };
    static spare** list_of(std::size_t bytes);
};

} // namespace gaisnet
