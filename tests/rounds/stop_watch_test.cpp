#include "rounds/stop_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

stop_rule plateau(stop_metric metric, double min_delta, int patience) {
    stop_rule rule;
    rule.kind = stop_kind::plateau;
    rule.metric = metric;
    rule.min_delta = min_delta;
    rule.patience = patience;
    return rule;
}

stop_rule target(double accuracy) {
    stop_rule rule;
    rule.kind = stop_kind::target;
    rule.accuracy = accuracy;
    return rule;
}

/// Feeds (accuracy, loss) by round until the watch stops. \returns the last round, 0 if it never stopped.
int last_round(stop_watch& watch, const std::vector<std::pair<double, double>>& results) {
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto round = static_cast<int>(i + 1);
        const bool over = watch.round_ended(round, results[i].first, results[i].second);
        EXPECT_EQ(over, watch.stopped());
        if (over) {
            return round;
        }
        EXPECT_FALSE(watch.converged());
        EXPECT_TRUE(watch.reason().empty());
    }
    return 0;
}

TEST(stop_watch, rounds_ask_for_nothing_else) {
    stop_watch watch({}, 3);
    EXPECT_FALSE(watch.stopped());
    EXPECT_EQ(last_round(watch, {{1, 0}, {1, 0}, {1, 0}, {1, 0}}), 3);
    EXPECT_FALSE(watch.converged());
    EXPECT_EQ(watch.reason(), "train.rounds = 3 reached");
}

TEST(stop_watch, target_is_met_when_reached_and_not_only_passed) {
    stop_watch watch(target(0.9), 10);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.8999, 1}, {0.9, 1}, {0.95, 1}}), 3);
    EXPECT_TRUE(watch.converged());
    EXPECT_THAT(watch.reason(), AllOf(HasSubstr("0.9000"), HasSubstr("round 3")));
}

TEST(stop_watch, target_that_is_never_met_is_not_converged) {
    stop_watch watch(target(0.9), 2);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.6, 1}, {0.95, 1}}), 2);
    EXPECT_FALSE(watch.converged());
    EXPECT_EQ(watch.reason(), "train.rounds = 2 reached; not converged");
}

TEST(stop_watch, target_met_in_the_last_round_is_converged) {
    stop_watch watch(target(0.9), 2);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.91, 1}}), 2);
    EXPECT_TRUE(watch.converged());
    EXPECT_THAT(watch.reason(), Not(HasSubstr("not converged")));
}

// Gains of 0.1, 0.005, 0.005: the second and third stay below 0.02, so patience 2 is used up in round 4.
TEST(stop_watch, plateau_of_accuracy) {
    stop_watch watch(plateau(stop_metric::accuracy, 0.02, 2), 10);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.6, 1}, {0.605, 1}, {0.61, 1}, {0.9, 1}}), 4);
    EXPECT_TRUE(watch.converged());
    EXPECT_THAT(watch.reason(), AllOf(HasSubstr("validation accuracy"), HasSubstr("0.02"), HasSubstr("2 rounds")));
}

TEST(stop_watch, plateau_forgets_bad_rounds_after_a_good_one) {
    stop_watch watch(plateau(stop_metric::accuracy, 0.02, 2), 10);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.4, 1}, {0.6, 1}, {0.6, 1}, {0.7, 1}, {0.7, 1}, {0.7, 1}}), 7);
    EXPECT_TRUE(watch.converged());
}

// Small steps count together: they are measured against the last improvement, not against the round before.
TEST(stop_watch, slow_progress_is_progress) {
    stop_watch watch(plateau(stop_metric::accuracy, 0.02, 3), 6);
    EXPECT_EQ(last_round(watch, {{0.50, 1}, {0.515, 1}, {0.53, 1}, {0.545, 1}, {0.56, 1}, {0.575, 1}}), 6);
    EXPECT_FALSE(watch.converged());
}

// Loss falls where accuracy rises; the accuracy beside it does not matter.
TEST(stop_watch, no_gain_at_all_is_a_plateau_even_when_none_is_asked_for) {
    stop_watch watch(plateau(stop_metric::accuracy, 0.0, 2), 50);
    EXPECT_FALSE(watch.round_ended(1, 0.975, 0.1));
    EXPECT_FALSE(watch.round_ended(2, 0.975, 0.1));
    EXPECT_TRUE(watch.round_ended(3, 0.975, 0.1));
    EXPECT_TRUE(watch.converged());
}

TEST(stop_watch, plateau_of_loss) {
    stop_watch watch(plateau(stop_metric::loss, 0.1, 1), 10);
    EXPECT_EQ(last_round(watch, {{0.1, 2.0}, {0.1, 1.5}, {0.9, 1.45}}), 3);
    EXPECT_TRUE(watch.converged());
    EXPECT_THAT(watch.reason(), HasSubstr("validation loss"));
}

TEST(stop_watch, plateau_reached_too_late_is_not_converged) {
    stop_watch watch(plateau(stop_metric::accuracy, 0.02, 3), 3);
    EXPECT_EQ(last_round(watch, {{0.5, 1}, {0.5, 1}, {0.5, 1}}), 3);
    EXPECT_FALSE(watch.converged());
    EXPECT_THAT(watch.reason(), HasSubstr("not converged"));
}

TEST(stop_watch, rounds_without_an_evaluation_say_nothing) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    stop_watch watch(plateau(stop_metric::accuracy, 0.02, 1), 10);
    EXPECT_EQ(last_round(watch, {{none, none}, {0.5, 1}, {none, none}, {none, none}, {0.6, 1}, {none, none}, {0.6, 1}}),
              7);
    EXPECT_TRUE(watch.converged());
    stop_watch aimed(target(0.5), 10);
    EXPECT_EQ(last_round(aimed, {{none, none}, {0.5, 1}}), 2);
}

TEST(stop_watch, giving_up_is_not_convergence) {
    stop_watch watch({stop_kind::target, stop_metric::accuracy, 0, 1, 0.9}, 10);
    EXPECT_FALSE(watch.round_ended(1, 0.5, 1.0));
    watch.give_up("nobody is left");
    EXPECT_TRUE(watch.stopped());
    EXPECT_FALSE(watch.converged());
    EXPECT_EQ(watch.reason(), "nobody is left");
}

} // namespace
} // namespace gaisnet
