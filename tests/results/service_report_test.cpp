#include "results/service_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<service_row> two_rounds() {
    std::vector<service_row> rows(2);
    for (auto& row : rows) {
        row.policy = "fair";
        row.action = "infer";
        row.model = "edge0";
        row.requester = "c0.0";
        row.accuracy = row.expected = 0.5;
        row.value = 2.0;
        row.cost = 0.5;
    }
    rows[0].round = 1;
    rows[0].cash = 1.5;
    rows[1].round = 2;
    rows[1].cash = 3.0;
    return rows;
}

TEST(service_report, says_what_became_of_whose_requests) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    const std::vector<service_client_row> clients{{"c0.0", 0, 9, 4, 3, 2, 3, 0.25, 1.5},
                                                  {"c1.0", 0, 0, 0, 0, 0, 0, none, none}};
    const auto text = report(two_rounds(), 0.0, oracle_cash{5.0, true, 2.75}, clients);
    EXPECT_THAT(text, AllOf(HasSubstr("Requests of clients"), HasSubstr("250.0 ms"), HasSubstr("1.500 s"),
                            HasSubstr("regret 2.25, since by validation accuracy it earned 2.75"),
                            HasSubstr("knows when requests come, and what each fine-tuning brings")));
}

TEST(service_report, has_no_clients_when_requests_do_not_wait) {
    const auto text = report(two_rounds(), 0.0, oracle_cash{5.0, true, 2.75});
    EXPECT_THAT(text, AllOf(Not(HasSubstr("Requests of clients")),
                            HasSubstr("regret 2.25, since by validation accuracy it earned 2.75"),
                            HasSubstr("knows what each fine-tuning brings, by validation accuracy")));
}

TEST(service_report, tells_an_exact_oracle_from_one_that_may_have_missed_something) {
    EXPECT_THAT(report(two_rounds(), 0.0, oracle_cash{5.0, true, 2.75}),
                AllOf(HasSubstr("nothing brings more"), Not(HasSubstr("at least"))));
    const auto bounded = report(two_rounds(), 0.0, oracle_cash{5.0, false, 2.75});
    EXPECT_THAT(bounded, AllOf(HasSubstr("regret at least 2.25"), HasSubstr("at least 5"), HasSubstr("not all"),
                               Not(HasSubstr("nothing brings more"))));
    EXPECT_FALSE(regrets_of(two_rounds(), 0.0, {5.0, false, 2.75})[0].exact);
}

TEST(service_report, regret_is_what_the_oracle_has_more) {
    const auto by_figures = regrets_of(two_rounds(), 0.0, {5.0, true, 2.75});
    ASSERT_EQ(by_figures.size(), 1U);
    EXPECT_EQ(by_figures[0].policy, "fair");
    EXPECT_DOUBLE_EQ(by_figures[0].cash, 3.0);
    EXPECT_DOUBLE_EQ(by_figures[0].regret(), 2.25);
    EXPECT_DOUBLE_EQ(regrets_of(two_rounds(), 0.0, {5.0, true, std::nullopt})[0].regret(), 2.0) << "by its cash";
}

TEST(service_report, a_forecast_says_what_first_services_take) {
    std::vector<service_row> rows(2);
    rows[0].action = "infer";
    rows[0].model = rows[1].model = "edge0";
    rows[0].requests = 12;
    rows[0].latency_s = 0.25;
    rows[1].action = "fine_tune";
    rows[1].level = 1;
    rows[1].energy_j = 3.0;
    EXPECT_THAT(report_forecast(rows), AllOf(HasSubstr("a session of 12 requests"), HasSubstr("250.0 ms"),
                                             HasSubstr("fine-tuning, round 2"), HasSubstr("3.000 J")));
}

} // namespace
} // namespace gaisnet
