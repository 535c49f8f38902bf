#include "planning/successive_halving.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace gaisnet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

trial_score at(double accuracy, double cost = 1.0) { return {false, false, accuracy, cost}; }
trial_score reached_for(double cost) { return {false, true, 0.9, cost}; }
constexpr trial_score failed{true, false, 0.99, 0.0};

TEST(successive_halving, without_a_target_the_more_accurate_half_goes_on) {
    const std::vector<trial_score> four{at(0.2), at(0.8), at(0.4), at(0.6)};
    EXPECT_THAT(ranking(four), ElementsAre(1, 3, 2, 0));
    EXPECT_THAT(better_half(four), ElementsAre(1, 3));
}

TEST(successive_halving, half_is_rounded_up_and_one_is_left_in_the_end) {
    std::vector<trial_score> scores(7, at(0.5));
    std::vector<std::size_t> sizes;
    while (scores.size() > 1) {
        scores.resize(better_half(scores).size());
        sizes.push_back(scores.size());
    }
    EXPECT_THAT(sizes, ElementsAre(4, 2, 1));
    EXPECT_THAT(better_half(scores), ElementsAre(0)) << "the last one stays";
}

TEST(successive_halving, of_equally_accurate_ones_the_cheaper_is_better_and_then_the_first) {
    EXPECT_THAT(ranking(std::vector{at(0.5, 3.0), at(0.5, 2.0), at(0.5, 3.0)}), ElementsAre(1, 0, 2));
}

TEST(successive_halving, whoever_has_reached_the_target_is_ranked_by_what_that_took) {
    const std::vector<trial_score> scores{at(0.89, 0.1), reached_for(20.0), at(0.5, 0.1), reached_for(10.0)};
    EXPECT_THAT(ranking(scores), ElementsAre(3, 1, 0, 2));
}

TEST(successive_halving, whoever_failed_is_last_and_does_not_go_on) {
    const std::vector<trial_score> scores{failed, at(0.1), failed, failed};
    EXPECT_THAT(ranking(scores), ElementsAre(1, 0, 2, 3));
    EXPECT_THAT(better_half(scores), ElementsAre(1));
    EXPECT_THAT(better_half(std::vector{failed, failed}), IsEmpty());
    EXPECT_THAT(better_half(std::vector<trial_score>{}), SizeIs(0));
}

} // namespace
} // namespace gaisnet
