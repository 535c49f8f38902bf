// What services cost and bring in, and what an oracle would have earned: by hand.

#include "experiment/service_accounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gaisnet {
namespace {

/// One edge whose rounds of use answer ten requests; a second of a service costs 1.
scenario scene_of(int rounds) {
    scenario scene;
    scene.serve.rounds = rounds;
    scene.serve.price_time = 1.0;
    scene.serve.value = {1.0};
    scene.serve.demand = {{10.0}};
    scene.serve.policies = {service_policy::random};
    return scene;
}

service_effort taking(double seconds) { return {{}, {}, seconds}; }

/// Ten answers, some of which are right.
answered_session ten_answers(int right, double seconds) {
    answered_session session{"c0.0", std::vector<request_row>(10), taking(seconds)};
    for (int request = 0; request < 10; ++request) {
        session.requests[static_cast<std::size_t>(request)].label = "rose";
        session.requests[static_cast<std::size_t>(request)].predicted = request < right ? "rose" : "tulip";
    }
    return session;
}

std::vector<double> costs_of(const std::vector<service_price>& prices) {
    std::vector<double> costs;
    for (const auto& one : prices) {
        costs.push_back(one.cost);
    }
    return costs;
}

TEST(service_accounts, fine_tunings_keep_what_was_measured_and_later_ones_what_was_forecast) {
    const auto scene = scene_of(5);
    service_accounts accounts(scene);
    accounts.open("edge0", {{{3.0, 3.0}, {1.0, 1.0}}, 0.05}, 0.2, 1.0);
    std::vector<std::vector<double>> seen{costs_of(accounts.believed_models()[0].tuning)};
    for (const double seconds : {2.5, 1.25, 0.75}) {
        accounts.fine_tuned(0, taking(seconds), 0.5);
        seen.push_back(costs_of(accounts.believed_models()[0].tuning));
    }
    const std::vector<std::vector<double>> expected{{3.0, 1.0}, {2.5, 1.0}, {2.5, 1.25}, {2.5, 1.25, 0.75}};
    EXPECT_EQ(seen, expected);
    accounts.trained_on(0, taking(4.0), 0.75);
    EXPECT_EQ(costs_of(accounts.believed_models()[0].tuning), (std::vector<double>{2.5, 1.25, 0.75, 4.0}))
        << "those after the run count, too";
}

TEST(service_accounts, decisions_are_worth_what_was_booked_with_answers_as_at_validation) {
    const auto scene = scene_of(3);
    service_accounts accounts(scene);
    accounts.open("edge0", {{{3.0, 3.0}, {1.0, 1.0}}, 0.05}, 0.5, 1.0);
    accounts.book(0, accounts.answered(0, ten_answers(9, 0.75)), "infer");
    accounts.book(1, accounts.fine_tuned(0, taking(2.0), 0.75), "fine_tune");
    accounts.book(2, accounts.answered(0, ten_answers(1, 0.25)), "infer");
    for (const double accuracy : {0.75, 0.75}) {
        accounts.trained_on(0, taking(1.0), accuracy);
    }
    EXPECT_DOUBLE_EQ(accounts.cash(), 9 - 0.75 - 2.0 + 1 - 0.25) << "what was really earned";
    EXPECT_DOUBLE_EQ(accounts.decisions().cash, 5 - 0.75 - 2.0 + 7.5 - 0.25);
    EXPECT_TRUE(accounts.decisions().solvent);
    // A request costs 1 / 20 on average. Three rounds of use: 3 x (5 - 0.5); after a fine-tuning 7 twice less its 2.
    const auto oracle = accounts.compare_with_oracle();
    EXPECT_DOUBLE_EQ(oracle.cash, 13.5);
    EXPECT_DOUBLE_EQ(*oracle.decisions, 9.5);
    EXPECT_TRUE(oracle.exact);
}

TEST(service_accounts, the_same_services_are_worth_the_same_to_an_oracle) {
    const auto scene = scene_of(2);
    service_accounts accounts(scene);
    accounts.open("edge0", {{{3.0, 3.0}}, 0.4}, 0.5, 1.0);
    accounts.book(0, accounts.answered(0, ten_answers(5, 2.0)), "infer"); // its modules are delivered
    accounts.book(1, accounts.answered(0, ten_answers(5, 1.0)), "infer");
    accounts.trained_on(0, taking(3.0), 0.5);
    accounts.trained_on(0, taking(3.0), 0.5);
    const auto oracle = accounts.compare_with_oracle();
    EXPECT_NEAR(oracle.cash, 10 - 3.0, 1e-12);
    EXPECT_NEAR(*oracle.decisions, 10 - 3.0, 1e-12);
}

// Ten right answers by luck pay for the fine-tuning. By validation accuracy none is right, and cash falls below 0.
TEST(service_accounts, who_was_lucky_is_compared_with_an_oracle_that_may_be_in_debt) {
    const auto scene = scene_of(3);
    service_accounts accounts(scene);
    accounts.open("edge0", {{{1.0, 1.0}}, 0.05}, 0.0, 1.0);
    accounts.book(0, accounts.answered(0, ten_answers(10, 0.5)), "infer");
    accounts.book(1, accounts.fine_tuned(0, taking(1.0), 1.0), "fine_tune");
    accounts.book(2, accounts.answered(0, ten_answers(10, 0.5)), "infer");
    accounts.trained_on(0, taking(1.0), 1.0);
    accounts.trained_on(0, taking(1.0), 1.0);
    EXPECT_FALSE(accounts.decisions().solvent);
    EXPECT_FALSE(accounts.binds_oracle());
    const auto oracle = accounts.compare_with_oracle();
    EXPECT_DOUBLE_EQ(*oracle.decisions, -0.5 - 1.0 + 9.5);
    EXPECT_DOUBLE_EQ(oracle.cash, -1.0 + 2 * 9.5) << "it fine-tunes first";
}

TEST(service_accounts, an_oracle_that_missed_what_was_done_is_a_lower_bound) {
    const auto scene = scene_of(1);
    service_accounts accounts(scene);
    accounts.open("edge0", {{{1.0, 1.0}}, 0.05}, 0.5, 1.0);
    accounts.book(0, accounts.answered(0, ten_answers(5, 0.5)), "infer");
    accounts.trained_on(0, taking(1.0), 0.5);
    const auto missed = accounts.compare_with({{}, 4.0, true, 1.0});
    EXPECT_DOUBLE_EQ(missed.cash, 4.5);
    EXPECT_FALSE(missed.exact);
    const auto found = accounts.compare_with({{}, 4.75, true, 1.0});
    EXPECT_DOUBLE_EQ(found.cash, 4.75);
    EXPECT_TRUE(found.exact);
}

} // namespace
} // namespace gaisnet
