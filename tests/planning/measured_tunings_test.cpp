#include "planning/measured_tunings.hpp"

#include <gmock/gmock.h>

#include <string>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

measured_tuning tuned(const char* method, double last, double best, double latency_s, double energy_j) {
    measured_tuning one;
    one.choice = {method, 4};
    one.rungs.push_back({2, last, 0.5, best, latency_s, energy_j, 1e3, 0.1});
    return one;
}

measured_tunings two() {
    measured_tunings all;
    all.rounds_a_rung = 2;
    all.objective = {{{plan_metric::latency, 1.0}}, "latency"};
    all.tried = {tuned("lora", 0.6, 0.9, 10.0, 400.0), tuned("adapter", 0.7, 0.8, 30.0, 100.0)};
    return all;
}

TEST(measured_tunings, the_best_round_counts_without_a_target_and_the_last_one_with_it) {
    auto all = two();
    EXPECT_EQ(scores_of(all, {0, 1})[0].accuracy, 0.9);
    all.target = 0.95;
    EXPECT_EQ(scores_of(all, {0, 1})[0].accuracy, 0.6);
}

TEST(measured_tunings, costs_are_those_of_the_objective) {
    auto all = two();
    EXPECT_EQ(scores_of(all, {0, 1})[1].cost, 30.0);
    all.objective = {{{plan_metric::goodput, 1.0}}, "goodput"};
    EXPECT_EQ(scores_of(all, {1})[0].cost, 30.0) << "more useful samples a second are less time";
    all.objective = {{{plan_metric::energy, 1.0}}, "energy"};
    EXPECT_EQ(scores_of(all, {0, 1})[0].cost, 400.0);
    // 1 x 10 s / 10 s + 0.5 x 400 J / 100 J, and 1 x 30 s / 10 s + 0.5 x 100 J / 100 J
    all.objective = {{{plan_metric::latency, 1.0}, {plan_metric::energy, 0.5}}, "weighted(latency 1, energy 0.5)"};
    EXPECT_DOUBLE_EQ(scores_of(all, {0, 1})[0].cost, 3.0);
    EXPECT_DOUBLE_EQ(scores_of(all, {0, 1})[1].cost, 3.5);
}

TEST(measured_tunings, the_table_marks_what_is_left_and_tells_why_others_are_not) {
    auto all = two();
    all.tried.push_back({{"full", 0}});
    all.tried.back().failure = "a stage does not fit: c0.0 needs 2 GB";
    all.chosen = 1;
    all.tried[0].dropped = 1;
    EXPECT_THAT(measured_text(all),
                AllOf(HasSubstr("* adapter 4"), HasSubstr("chosen\n"), HasSubstr("dropped in rung 1"),
                      HasSubstr("full       a stage does not fit"), Not(HasSubstr("spectrum"))));
    const auto rows = tuning_rows(all);
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[1].outcome, "chosen");
    EXPECT_EQ(rows[2].outcome, "does not fit");
    EXPECT_EQ(rows[2].rung, 0U);
}

} // namespace
} // namespace gaisnet
