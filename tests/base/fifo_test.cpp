#include "base/fifo.hpp"
#include "base/random.hpp"
#include "base/tensor_shape.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <stdexcept>

namespace gaisnet {
namespace {

// Against std::deque, with queues of up to a few hundred: short and long ones are kept in different ways.
TEST(fifo, gives_back_in_order) {
    random_stream draw(1, "test", "fifo", 0, 0);
    for (const std::uint64_t most : {1U, 2U, 40U, 300U}) {
        fifo<int> queue;
        std::deque<int> expected;
        for (int i = 0; i < 5000; ++i) {
            const bool fills = (i / 500) % 2 == 0;
            if (expected.size() < most && draw.below(4) < (fills ? 3U : 1U)) {
                queue.push_back(i);
                expected.push_back(i);
            } else if (!expected.empty()) {
                EXPECT_EQ(queue.front(), expected.front());
                queue.pop_front();
                expected.pop_front();
            }
            ASSERT_EQ(queue.size(), expected.size());
            ASSERT_EQ(queue.empty(), expected.empty());
        }
    }
}

TEST(fifo, lets_go_of_what_was_taken_out) {
    fifo<std::shared_ptr<int>> queue;
    const auto first = std::make_shared<int>(1);
    queue.push_back(first);
    queue.push_back({});
    queue.pop_front();
    EXPECT_EQ(first.use_count(), 1);
}

TEST(tensor_shape, has_six_dimensions_at_most) {
    const std::vector<std::int64_t> six{1, 2, 3, 4, 5, 6};
    EXPECT_EQ(std::vector<std::int64_t>(tensor_shape(six)), six);
    EXPECT_EQ(tensor_shape(six).back(), 6);
    EXPECT_FALSE(tensor_shape(six) == (tensor_shape{1, 2, 3, 4, 5}));
    EXPECT_THROW((tensor_shape{1, 2, 3, 4, 5, 6, 7}), std::logic_error);
}

} // namespace
} // namespace gaisnet
