#include "runtime/frame_pool.hpp"

#include <utility>

namespace gaisnet {

namespace {

// A frame that is used after its end must be found.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GAISNET_KEEPS_NO_FRAMES
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GAISNET_KEEPS_NO_FRAMES
#endif
#ifdef GAISNET_KEEPS_NO_FRAMES
constexpr bool keeps = false;
#else
constexpr bool keeps = true;
#endif

thread_local bool thread_ends = false; ///< Frames may be destroyed after the lists of their thread.

} // namespace

frame_pool::lists::~lists() {
    thread_ends = true;
    for (auto* list : of_size) {
        while (list != nullptr) {
            ::operator delete(std::exchange(list, list->next));
        }
    }
}

/// \returns null where nothing is kept.
frame_pool::spare** frame_pool::list_of(std::size_t bytes) {
    if (!keeps || bytes > most || thread_ends) {
        return nullptr;
    }
    thread_local lists mine;
    return &mine.of_size[(bytes - 1) / step];
}

void* frame_pool::take(std::size_t bytes) {
    auto** list = list_of(bytes);
    if (list == nullptr) {
        return ::operator new(bytes);
    }
    if (*list != nullptr) {
        return std::exchange(*list, (*list)->next);
    }
    return ::operator new((bytes + step - 1) / step * step);
}

void frame_pool::give_back(void* frame, std::size_t bytes) noexcept {
    if (auto** list = list_of(bytes)) {
        *list = new (frame) spare{*list};
    } else {
        ::operator delete(frame);
    }
}

} // namespace gaisnet
