// Memory of coroutines: each frame has its own as long as it lives, whichever thread ends it.

#include "runtime/frame_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

struct frame {
    std::byte* at;
    std::size_t bytes;
    std::byte mark;
};

frame make(std::size_t bytes, int mark) {
    frame one{static_cast<std::byte*>(frame_pool::take(bytes)), bytes, static_cast<std::byte>(mark)};
    std::fill_n(one.at, bytes, one.mark);
    return one;
}

void end(const frame& one) {
    EXPECT_TRUE(std::all_of(one.at, one.at + one.bytes, [&](std::byte value) { return value == one.mark; }))
        << "nobody else wrote into these " << one.bytes << " bytes";
    frame_pool::give_back(one.at, one.bytes);
}

TEST(frame_pool, frames_of_any_size_have_memory_of_their_own) {
    std::mt19937 draw(1);
    std::vector<frame> alive;
    for (int i = 0; i < 20'000; ++i) {
        if (alive.size() < 50 || draw() % 2 == 0) {
            alive.push_back(make(1 + draw() % 5'000, i)); // also larger ones than are kept
        } else {
            std::swap(alive[draw() % alive.size()], alive.back());
            end(alive.back());
            alive.pop_back();
        }
    }
    std::for_each(alive.begin(), alive.end(), end);
}

TEST(frame_pool, a_frame_may_end_on_another_thread_and_after_its_own) {
    std::vector<frame> left;
    std::thread([&] {
        for (int i = 0; i < 100; ++i) {
            left.push_back(make(100 + static_cast<std::size_t>(i), i));
        }
        end(make(200, 7));
    }).join(); // what this thread kept is gone with it
    std::thread([&] {
        std::for_each(left.begin(), left.end(), end);
        for (auto& one : left) {
            one = make(one.bytes, 3);
        }
    }).join();
    std::for_each(left.begin(), left.end(), end);
}

struct late_frame {
    frame one{};
    ~late_frame() {
        if (one.at != nullptr) {
            end(one);
            end(make(100, 2));
        }
    }
};

TEST(frame_pool, frames_may_live_longer_than_the_lists_of_their_thread) {
    std::thread([] {
        thread_local late_frame first; // made first, so destroyed behind the lists
        first.one = make(100, 1);
    }).join();
}

} // namespace
} // namespace gaisnet
