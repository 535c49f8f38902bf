// Whom to serve when requests come by themselves and wait: closed forms, and all sequences of services tried out.

#include "planning/request_stream.hpp"
#include "planning/service_outlook.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

constexpr double no_deadline = std::numeric_limits<double>::infinity();

TEST(request_stream, known_requests_come_first_and_expected_ones_evenly_after_them) {
    const std::vector<double> known{1.0, 2.0};
    const request_stream stream{known, 3.0, 2.0, 1.0};
    EXPECT_DOUBLE_EQ(stream.time_of(1), 2.0);
    EXPECT_DOUBLE_EQ(stream.time_of(2), 3.5) << "one in half a second";
    EXPECT_EQ(stream.arrived(0.5), 0);
    EXPECT_EQ(stream.arrived(1.0), 1);
    EXPECT_EQ(stream.arrived(3.4), 2);
    EXPECT_EQ(stream.arrived(3.5), 3);
    EXPECT_EQ(stream.arrived(5.0), 6);
    EXPECT_EQ(stream.overdue(2.0), 0) << "it may be answered at its deadline";
    EXPECT_EQ(stream.overdue(2.5), 1);
    EXPECT_EQ(stream.overdue(4.5), 2) << "the first expected one came at 3.5 s";
    EXPECT_EQ(stream.overdue(4.6), 3);
    EXPECT_EQ(stream.overdue(5.1), 4);
    EXPECT_EQ((request_stream{known, 0.0, 0.0, no_deadline}).overdue(1e9), 0);
    EXPECT_TRUE(std::isinf((request_stream{known, 0.0, 0.0, no_deadline}).time_of(2)));
}

TEST(request_stream, smoothing_by_hand) {
    smoothed_rate rate(0.5);
    EXPECT_EQ(rate.per_second(), 0.0) << "nothing is known yet";
    rate.add(4, 2.0); // 2 over 1
    EXPECT_DOUBLE_EQ(rate.per_second(), 2.0);
    rate.add(1, 2.0); // 0.5 + 1 over 1 + 0.5
    EXPECT_DOUBLE_EQ(rate.per_second(), 1.0);
    rate.add(9, 0.0); // takes no time, and tells nothing
    EXPECT_DOUBLE_EQ(rate.per_second(), 1.0);
    rate.add(0, 1.0); // 0.75 over 0.5 + 0.75
    EXPECT_DOUBLE_EQ(rate.per_second(), 0.6);
    smoothed_rate last(1.0);
    last.add(7, 1.0);
    last.add(3, 2.0);
    EXPECT_DOUBLE_EQ(last.per_second(), 1.5) << "of the last round alone";
}

/// A client of the first model, whose sessions take a second.
outlook_client asking(const std::vector<double>& arrivals_s, double deadline_s = no_deadline) {
    return {0, {arrivals_s, 0.0, 0.0, deadline_s}, {1.0, 0.25}, {0.0, 0.125}, std::nullopt};
}

/// Plays rounds in which all comes as it is believed. \returns "c0" for a client, "+m0" for fine-tuning, "-" for nothing.
std::string services_of(service_policy policy, const service_outlook& outlook, outlook_state& state, int rounds) {
    random_stream dice(1, "test", "rounds");
    std::string text;
    for (int round = 0; round < rounds; ++round) {
        const auto service = choose_service(policy, outlook, state, rounds - round, dice);
        text += !service ? "- " : (service->tunes ? "+m" : "c") + std::to_string(service->number) + " ";
        pass_round(outlook, state, service, true);
    }
    return text;
}

TEST(service_outlook, fair_serves_who_has_waited_longest) {
    const std::vector<double> burst{0.0, 0.0};
    const service_outlook outlook{{{{1.0}, 1.0, {}}}, {asking(burst), asking(burst)}, 1, true};
    auto state = begin_outlook(outlook, 0.0);
    EXPECT_EQ(services_of(service_policy::fair, outlook, state, 5), "c0 c1 c0 c1 - ")
        << "in turn where waits are equal";
    EXPECT_DOUBLE_EQ(state.now_s, 4.0);
    EXPECT_DOUBLE_EQ(state.cash, 4 * (1.0 - 0.375));

    const std::vector<double> early{0.0, 3.0}, late{0.5};
    const service_outlook other{{{{1.0}, 1.0, {}}}, {asking(late), asking(early)}, 0, true};
    state = begin_outlook(other, 0.0);
    EXPECT_EQ(services_of(service_policy::fair, other, state, 4), "c1 c0 - c1 ");
    EXPECT_DOUBLE_EQ(state.now_s, 4.0) << "nothing is done from 2 s until a request comes at 3 s";
}

TEST(service_outlook, requests_are_given_up_when_their_deadline_has_passed) {
    const std::vector<double> burst{0.0, 0.0};
    const service_outlook outlook{{{{1.0}, 1.0, {}}}, {asking(burst, 1.5), asking(burst, 1.5)}, 1, true};
    auto state = begin_outlook(outlook, 0.0);
    EXPECT_EQ(services_of(service_policy::fair, outlook, state, 3), "c0 c1 - ") << "after 2 s nobody is left";
    EXPECT_EQ(state.first, (std::vector<std::int64_t>{2, 2}));
    EXPECT_DOUBLE_EQ(state.cash, 2 * (1.0 - 0.375));
}

TEST(service_outlook, a_session_answers_all_that_wait_or_as_many_as_it_may) {
    const std::vector<double> arrivals{0.0, 0.0, 0.0, 9.0};
    service_outlook outlook{{{{0.5}, 4.0, {}}}, {asking(arrivals)}, 0, true};
    auto state = begin_outlook(outlook, 0.0);
    EXPECT_EQ(answerable(outlook, state, 0), 3);
    EXPECT_DOUBLE_EQ(income_of(outlook, state, {false, 0}, false), 3 * 4.0 * 0.5 - 0.25 - 3 * 0.125);
    outlook.per_session = 2;
    EXPECT_EQ(answerable(outlook, state, 0), 2);
    outlook.clients[0].next = service_price{2.0, 5.0};
    EXPECT_DOUBLE_EQ(income_of(outlook, state, {false, 0}, true), 2 * 4.0 * 0.5 - 5.0) << "as the ledger says";
    random_stream dice(1, "test", "unused");
    EXPECT_EQ(choose_service(service_policy::msip, outlook, state, 1, dice), std::nullopt)
        << "it costs more than it brings";
}

TEST(service_outlook, fine_tuning_is_worth_gain_times_demand_less_its_price) {
    const std::vector<double> arrivals{0.0, 0.0, 1.0, 1e9};
    const service_outlook outlook{
        {{{0.5, 0.75}, 2.0, {{1.0, 0.5}}}, {{0.5, 0.75}, 2.0, {{1.0, 0.5}}}}, {asking(arrivals)}, 0, true};
    const auto state = begin_outlook(outlook, 10.0);
    const std::vector<service_candidate> both{{true, 0}, {true, 1}};
    const auto profits = profits_of(outlook, state, both, 10, true);
    EXPECT_DOUBLE_EQ(profits[0], 0.25 * 2.0 * 3 - 0.5) << "three requests in ten rounds";
    EXPECT_DOUBLE_EQ(profits[1], -0.5) << "nobody asks for it";
}

TEST(service_outlook, mlcp_tunes_the_model_that_will_be_asked_for) {
    const std::vector<double> few{0.0}, many(8, 2.0);
    service_outlook outlook{
        {{{0.5, 1.0}, 1.0, {{1.0, 1.125}}}, {{0.5, 1.0}, 1.0, {{1.0, 1.125}}}}, {asking(few), asking(many)}, 0, true};
    outlook.clients[1].model = 1;
    auto state = begin_outlook(outlook, 1.0);
    // 0.5 - 0.375 of the first client pay for the fine-tuning, and the second client brings 8 - 0.25 - 8 x 0.125.
    EXPECT_EQ(services_of(service_policy::mlcp, outlook, state, 3), "c0 +m1 c1 ");
    EXPECT_DOUBLE_EQ(state.cash, 1.0 + 0.125 - 1.125 + 6.75);
    state = begin_outlook(outlook, 0.0); // without cash it cannot be tuned: liquidity
    EXPECT_EQ(services_of(service_policy::mlcp, outlook, state, 3), "c0 - c1 ");
    EXPECT_DOUBLE_EQ(state.cash, 0.125 + 4.0 - 1.25);
}

TEST(service_outlook, always_infer_takes_clients_in_turn) {
    const std::vector<double> burst(3, 0.0), one{0.0};
    const service_outlook outlook{{{{1.0, 1.0}, 1.0, {}}}, {asking(burst), asking(one), asking(burst)}, 1, true};
    auto state = begin_outlook(outlook, 0.0);
    EXPECT_EQ(services_of(service_policy::always_infer, outlook, state, 7), "c0 c1 c2 c0 c2 c0 c2 ");
}

/// A small instance, and the times to which its streams refer.
struct small_instance {
    service_outlook outlook;
    std::vector<std::vector<double>> arrivals;

    explicit small_instance(std::uint32_t number) {
        random_stream dice(5, "test", "whom to serve", 0, number);
        outlook.liquidity = dice.below(2) == 0;
        outlook.per_session = static_cast<std::int64_t>(dice.below(3));
        for (std::uint64_t model = 0; model < 2; ++model) {
            const double start = dice.uniform(0.1, 0.6);
            outlook.models.push_back(
                {{start, dice.uniform(start, 1.0), 1.0},
                 dice.uniform(0.5, 2.0),
                 {{dice.uniform(0.5, 2.0), dice.uniform(0.0, 1.0)}, {dice.uniform(0.5, 2.0), dice.uniform(0.0, 1.0)}}});
        }
        const auto clients = 1 + dice.below(3);
        for (std::uint64_t client = 0; client < clients; ++client) {
            auto& times = arrivals.emplace_back();
            for (auto requests = dice.below(5); requests > 0; --requests) {
                times.push_back(dice.uniform(0.0, 4.0));
            }
            std::sort(times.begin(), times.end());
        }
        for (std::uint64_t client = 0; client < clients; ++client) {
            outlook.clients.push_back({dice.below(2),
                                       {arrivals[client], 0.0, 0.0, dice.below(2) == 0 ? no_deadline : 2.0},
                                       {dice.uniform(0.1, 1.0), dice.uniform(0.0, 0.5)},
                                       {dice.uniform(0.0, 0.2), dice.uniform(0.0, 0.3)},
                                       std::nullopt,
                                       {dice.uniform(0.0, 0.5), dice.uniform(0.0, 0.5)}});
        }
    }
};

/// Cash after services, each of which has to be possible.
double cash_by_playing(const service_outlook& outlook, outlook_state state,
                       const std::vector<std::optional<service_candidate>>& services) {
    for (const auto& service : services) {
        const auto possible = candidates_of(outlook, state, false);
        EXPECT_TRUE(!service || std::find(possible.begin(), possible.end(), *service) != possible.end());
        pass_round(outlook, state, service, false);
    }
    return state.cash;
}

/// The best of all sequences of services.
double most_by_trying(const service_outlook& outlook, const outlook_state& state, int rounds) {
    if (rounds == 0) {
        return state.cash;
    }
    auto idle = state;
    pass_round(outlook, idle, std::nullopt, false);
    double best = most_by_trying(outlook, idle, rounds - 1);
    for (const auto& one : candidates_of(outlook, state, false)) {
        auto after = state;
        pass_round(outlook, after, one, false);
        best = std::max(best, most_by_trying(outlook, after, rounds - 1));
    }
    return best;
}

TEST(service_outlook, no_sequence_of_services_is_better) {
    for (std::uint32_t number = 0; number < 150; ++number) {
        const small_instance instance(number);
        const auto start = begin_outlook(instance.outlook, 0.5);
        const auto plan = best_services(instance.outlook, start, 4);
        ASSERT_EQ(plan.services.size(), 4U);
        EXPECT_TRUE(plan.exact) << number;
        EXPECT_NEAR(plan.cash, most_by_trying(instance.outlook, start, 4), 1e-9) << number;
        EXPECT_NEAR(cash_by_playing(instance.outlook, start, plan.services), plan.cash, 1e-9) << number;
    }
}

TEST(service_outlook, mlcp_has_no_regret_when_demand_is_known) {
    int better = 0;
    for (std::uint32_t number = 0; number < 150; ++number) {
        const small_instance instance(number);
        const auto start = begin_outlook(instance.outlook, 0.5);
        const double best = best_services(instance.outlook, start, 4).cash;
        for (const auto policy : {service_policy::mlcp, service_policy::msip, service_policy::fair}) {
            auto state = start;
            services_of(policy, instance.outlook, state, 4);
            EXPECT_LE(state.cash, best + 1e-9) << number;
            if (policy == service_policy::mlcp) {
                EXPECT_NEAR(state.cash, best, 1e-9) << number;
            } else {
                better += best > state.cash + 1e-9 ? 1 : 0;
            }
        }
    }
    EXPECT_GT(better, 30) << "the other policies are to have some";
}

TEST(service_outlook, a_narrow_search_goes_on_to_the_end) {
    const small_instance instance(3);
    const auto start = begin_outlook(instance.outlook, 0.5);
    const auto plan = best_services(instance.outlook, start, 200, 1);
    EXPECT_EQ(plan.services.size(), 200U);
    EXPECT_NEAR(cash_by_playing(instance.outlook, start, plan.services), plan.cash, 1e-9);
    EXPECT_FALSE(plan.exact);
    EXPECT_TRUE(best_services(instance.outlook, start, 0).services.empty());
}

TEST(service_outlook, a_search_of_some_states_says_that_it_is_not_exact) {
    for (std::uint32_t number = 0; number < 40; ++number) {
        const small_instance instance(number);
        const auto start = begin_outlook(instance.outlook, 0.5);
        const auto some = best_services(instance.outlook, start, 4, 400);
        const double most = most_by_trying(instance.outlook, start, 4);
        EXPECT_LE(some.cash, most + 1e-9) << number;
        EXPECT_TRUE(!some.exact || some.cash > most - 1e-9) << number;
    }
}

TEST(service_outlook, a_plan_is_as_long_as_the_run) {
    std::vector<double> hourly;
    for (int request = 0; request < 3000; ++request) {
        hourly.push_back(3600.0 * request);
    }
    const service_outlook outlook{{{{1.0}, 1.0, {}}}, {asking(hourly)}, 1, true};
    const auto plan = best_services(outlook, begin_outlook(outlook, 0.0), 4000, 100'000);
    ASSERT_EQ(plan.services.size(), 4000U);
    // A round for each request, and one of waiting before all but the first: 2000 requests.
    EXPECT_NEAR(plan.cash, 2000 * (1.0 - 0.375), 1e-6);
}

TEST(service_outlook, the_first_fine_tuning_may_cost_more) {
    const std::vector<double> one{0.0}, many(8, 0.0);
    const service_outlook outlook{
        {{{0.25, 0.5, 0.75, 1.0}, 1.0, {{5.0, 2.0}, {1.0, 0.25}, {2.0, 0.5}}}}, {asking(many)}, 0, false};
    auto state = begin_outlook(outlook, 0.0);
    for (const double cost : {2.0, 0.25, 0.5}) {
        EXPECT_DOUBLE_EQ(income_of(outlook, state, {true, 0}, false), -cost);
        pass_round(outlook, state, service_candidate{true, 0}, false);
    }
    EXPECT_DOUBLE_EQ(state.cash, -2.75);
    EXPECT_DOUBLE_EQ(state.now_s, 8.0);
    EXPECT_DOUBLE_EQ(tuning_price(outlook.models[0].tuning, 7).cost, 0.5) << "the last one repeats";
    // All three: 8 - 1.25 - 2.75 = 4; none: 2 - 1.25. The first alone (4 - 1.25 - 2) would not pay.
    EXPECT_NEAR(best_services(outlook, begin_outlook(outlook, 0.0), 4).cash, 4.0, 1e-9);
    EXPECT_NEAR(best_services(outlook, begin_outlook(outlook, 0.0), 2).cash, 0.75, 1e-9);
}

TEST(service_outlook, modules_are_delivered_once_for_each_version) {
    const std::vector<double> arrivals{0.0, 0.0, 0.0, 0.0};
    service_outlook outlook{{{{1.0, 1.0}, 1.0, {{1.0, 0.5}}}}, {asking(arrivals), asking(arrivals)}, 1, true};
    outlook.clients[0].delivery = outlook.clients[1].delivery = {2.0, 0.25};
    auto state = begin_outlook(outlook, 10.0);
    const auto cost = [&](std::size_t client) { return -income_of(outlook, state, {false, client}, false) + 1.0; };
    const auto answer = [&](std::size_t client) {
        pass_round(outlook, state, service_candidate{false, client}, false);
    };
    EXPECT_DOUBLE_EQ(cost(0), 0.375 + 0.25);
    answer(0);
    EXPECT_DOUBLE_EQ(state.now_s, 3.0);
    EXPECT_DOUBLE_EQ(cost(0), 0.375) << "it holds the model now";
    EXPECT_DOUBLE_EQ(cost(1), 0.375 + 0.25) << "another chain does not";
    answer(0);
    EXPECT_DOUBLE_EQ(state.now_s, 4.0);
    pass_round(outlook, state, service_candidate{true, 0}, false);
    EXPECT_DOUBLE_EQ(cost(0), 0.375 + 0.25) << "there is a new version";
    answer(0);
    EXPECT_DOUBLE_EQ(cost(0), 0.375);
}

TEST(service_outlook, debt_does_not_keep_a_client_from_being_answered) {
    const std::vector<double> burst{0.0, 0.0};
    const service_outlook outlook{{{{1.0, 1.0}, 1.0, {{1.0, 0.125}}}}, {asking(burst)}, 1, true};
    for (const auto policy : {service_policy::msip, service_policy::fair, service_policy::mlcp}) {
        auto state = begin_outlook(outlook, -2.0);
        EXPECT_EQ(services_of(policy, outlook, state, 3), "c0 c0 - ") << "fine-tuning cannot be paid for";
        EXPECT_DOUBLE_EQ(state.cash, -2.0 + 2 * 0.625);
    }
}

/// A thousand clients of fifty models, of which three bring nearly everything.
TEST(service_outlook, a_search_among_a_thousand_clients_stays_within_its_work) {
    const std::vector<double> one{0.0};
    std::vector<double> many(100, 0.0);
    service_outlook outlook;
    for (int model = 0; model < 50; ++model) {
        outlook.models.push_back({{0.5, 0.75}, 1.0, {{0.5, 2.0}}});
    }
    for (std::size_t client = 0; client < 1000; ++client) {
        outlook.clients.push_back(asking(client % 400 == 7 ? many : one));
        outlook.clients.back().model = client % 50;
    }
    outlook.liquidity = false;
    const auto begin = begin_outlook(outlook, 0.0);
    for (const std::size_t most : {20'000U, 200'000U, 2'000'000U}) {
        const auto plan = best_services(outlook, begin, 6, most);
        EXPECT_FALSE(plan.exact);
        EXPECT_LT(plan.looks, static_cast<double>(most) + 2 * 6 * 1051) << "and twice on to the end";
        // Clients 7, 407 and 807 have 100 requests each: by income alone these three, and three of a request.
        const double by_income = 3 * (50 - 0.25 - 12.5) + 3 * (0.5 - 0.375);
        EXPECT_GT(plan.cash, by_income - 1e-9);
        if (most > 1'000'000) { // all are of model 7, which is fine-tuned first: 25 more right answers of each
            EXPECT_NEAR(plan.cash, -2.0 + 3 * (75 - 0.25 - 12.5) + 2 * (0.75 - 0.375), 1e-9);
        }
    }
}

} // namespace
} // namespace gaisnet
