#include "results/service_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
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
    const auto text = report(two_rounds(), 0.0, 5.0, 2.75, clients);
    EXPECT_THAT(text, AllOf(HasSubstr("Requests of clients"), HasSubstr("250.0 ms"), HasSubstr("1.500 s"),
                            HasSubstr("regret 2.25, since by validation accuracy and forecast prices it earned 2.75"),
                            HasSubstr("knows when requests come, and what each fine-tuning brings")));
}

TEST(service_report, has_no_clients_when_requests_do_not_wait) {
    const auto text = report(two_rounds(), 0.0, 5.0, 2.75);
    EXPECT_THAT(text, AllOf(Not(HasSubstr("Requests of clients")),
                            HasSubstr("regret 2.25, since by validation accuracy it earned 2.75"),
                            HasSubstr("knows what each fine-tuning brings, by validation accuracy")));
}

TEST(service_report, regret_is_what_the_oracle_has_more) {
    const auto by_figures = regrets_of(two_rounds(), 0.0, 5.0, 2.75);
    ASSERT_EQ(by_figures.size(), 1U);
    EXPECT_EQ(by_figures[0].policy, "fair");
    EXPECT_DOUBLE_EQ(by_figures[0].cash, 3.0);
    EXPECT_DOUBLE_EQ(by_figures[0].regret(), 2.25);
    EXPECT_DOUBLE_EQ(regrets_of(two_rounds(), 0.0, 5.0)[0].regret(), 2.0) << "by its cash";
}

} // namespace
} // namespace gaisnet
