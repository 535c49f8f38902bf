#include "roles/stage_role.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gaisnet {
namespace {

std::string text_of(const std::vector<schedule_step>& steps) {
    std::string text;
    for (const auto& step : steps) {
        text += (step.forward ? "F" : "B") + std::to_string(step.micro) + " ";
    }
    return text;
}

TEST(schedule, gpipe_runs_all_forwards_first) {
    EXPECT_EQ(text_of(make_schedule(schedule_kind::gpipe, 3, 1, 4)), "F0 F1 F2 B0 B1 B2 ");
}

TEST(schedule, one_f_one_b_warms_up_by_its_distance_from_the_end) {
    EXPECT_EQ(text_of(make_schedule(schedule_kind::one_f_one_b, 4, 3, 4)), "F0 B0 F1 B1 F2 B2 F3 B3 ");
    EXPECT_EQ(text_of(make_schedule(schedule_kind::one_f_one_b, 4, 2, 4)), "F0 F1 B0 F2 B1 F3 B2 B3 ");
    EXPECT_EQ(text_of(make_schedule(schedule_kind::one_f_one_b, 2, 0, 4)), "F0 F1 B0 B1 ");
}

TEST(schedule, every_micro_batch_goes_forward_once_before_it_goes_backward_once) {
    for (const auto kind : {schedule_kind::serial, schedule_kind::gpipe, schedule_kind::one_f_one_b}) {
        for (int micros = 1; micros <= 16; ++micros) {
            for (std::size_t stages = 1; stages <= 6; ++stages) {
                for (std::size_t position = 0; position < stages; ++position) {
                    std::vector<int> state(static_cast<std::size_t>(micros), 0);
                    int kept = 0, most = 0;
                    for (const auto& step : make_schedule(kind, micros, position, stages)) {
                        auto& now = state[static_cast<std::size_t>(step.micro)];
                        ASSERT_EQ(now, step.forward ? 0 : 1);
                        ++now;
                        kept += step.forward ? 1 : -1;
                        most = std::max(most, kept);
                    }
                    ASSERT_TRUE(std::all_of(state.begin(), state.end(), [](int s) { return s == 2; }));
                    if (kind == schedule_kind::one_f_one_b) {
                        ASSERT_LE(most, static_cast<int>(stages - position));
                    }
                }
            }
        }
    }
}

TEST(schedule, micro_batches_cover_the_batch) {
    const micro_batch batch{2, 5, 0, 10, 10};
    const auto parts = split_batch(batch, 4);
    ASSERT_EQ(parts.size(), 4U);
    std::int64_t next = 0;
    for (const auto& part : parts) {
        EXPECT_EQ(part.first, next);
        EXPECT_EQ(part.of, 10);
        EXPECT_GE(part.count, 2);
        EXPECT_LE(part.count, 3);
        next += part.count;
    }
    EXPECT_EQ(next, 10);
    EXPECT_EQ(split_batch({0, 0, 0, 3, 3}, 8).size(), 3U) << "never an empty micro-batch";
}

} // namespace
} // namespace gaisnet
