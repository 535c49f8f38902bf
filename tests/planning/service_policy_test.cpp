#include "base/error.hpp"
#include "planning/service_policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace gaisnet {
namespace {

/// Three models with three levels, ten rounds: a small instance that can be followed by hand.
std::vector<service_model> three_models() {
    return {{"a", {5, 6, 7}, {3, 3}}, {"b", {4, 5, 7}, {3, 3}}, {"c", {3, 7, 12}, {2, 2}}};
}

std::string text_of(const std::vector<service_step>& steps) {
    std::string text;
    for (const auto& step : steps) {
        text += step.action ? (step.action->upgrade ? "U" : "P") + std::string(1, "abc"[step.action->model]) : "-";
    }
    return text;
}

TEST(service_policy, mlcp_gives_up_profit_now_and_ends_highest) {
    service_rules rules{10, true, {}};
    const auto steps = play_services(service_policy::mlcp, three_models(), rules, 0.0, 1);
    // Without cash nothing can be upgraded at first: 5 are earned, 2 + 2 spent, then 12 seven times.
    EXPECT_EQ(text_of(steps), "PaUcUcPcPcPcPcPcPcPc");
    EXPECT_DOUBLE_EQ(steps.back().after.cash, 85.0);
    rules.liquidity = false;
    const auto rich = play_services(service_policy::mlcp, three_models(), rules, 0.0, 1);
    EXPECT_EQ(text_of(rich), "UcUcPcPcPcPcPcPcPcPc");
    EXPECT_DOUBLE_EQ(rich.back().after.cash, 92.0);
}

TEST(service_policy, msip_takes_the_largest_profit_now) {
    const auto steps = play_services(service_policy::msip, three_models(), {10, true, {}}, 0.0, 1);
    EXPECT_EQ(text_of(steps), "PaPaPaPaPaPaPaPaPaPa");
    EXPECT_DOUBLE_EQ(steps.back().after.cash, 50.0);
}

TEST(service_policy, always_infer_uses_models_in_turn) {
    const auto steps = play_services(service_policy::always_infer, three_models(), {10, true, {}}, 0.0, 1);
    EXPECT_EQ(text_of(steps), "PaPbPcPaPbPcPaPbPcPa");
    EXPECT_DOUBLE_EQ(steps.back().after.cash, 4 * 5 + 3 * 4 + 3 * 3);
}

/// The expectation of random choices, by recursion over all of them.
double expected_of_random(const std::vector<service_model>& models, const service_rules& rules, int round,
                          const service_state& state) {
    if (round == rules.rounds) {
        return state.cash;
    }
    double sum = 0.0;
    int count = 0;
    for (const bool upgrade : {false, true}) {
        for (std::size_t model = 0; model < models.size(); ++model) {
            if (is_possible(models, rules, round, state, {upgrade, model})) {
                auto after = state;
                apply(models, rules, round, after, {upgrade, model});
                sum += expected_of_random(models, rules, round + 1, after);
                ++count;
            }
        }
    }
    return count == 0 ? state.cash : sum / count;
}

TEST(service_policy, random_choices_have_the_mean_of_all_choices) {
    const service_rules rules{5, false, {}};
    const double expected = expected_of_random(three_models(), rules, 0, {{0, 0, 0}, 0.0});
    double sum = 0.0, squares = 0.0;
    constexpr int runs = 4000;
    for (int run = 0; run < runs; ++run) {
        const double cash =
            play_services(service_policy::random, three_models(), rules, 0.0, static_cast<std::uint64_t>(run))
                .back()
                .after.cash;
        sum += cash;
        squares += cash * cash;
    }
    const double mean = sum / runs, deviation = std::sqrt((squares / runs - mean * mean) / runs);
    EXPECT_NEAR(mean, expected, 5 * deviation);
}

service_rules random_rules(random_stream& dice, bool liquidity, std::size_t models, bool constant) {
    service_rules rules{2 + static_cast<int>(dice.below(5)), liquidity, {}};
    for (int round = 0; round < rules.rounds && !constant; ++round) {
        auto& row = rules.demand.emplace_back();
        for (std::size_t model = 0; model < models; ++model) {
            row.push_back(dice.uniform(0.0, 2.0));
        }
    }
    return rules;
}

std::vector<service_model> random_models(random_stream& dice) {
    std::vector<service_model> models;
    const auto count = 1 + dice.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
        service_model one{"m", {dice.uniform(-1.0, 5.0)}, {}};
        for (auto level = dice.below(4); level > 0; --level) {
            one.profit.push_back(one.profit.back() + dice.uniform(-1.0, 5.0));
            one.upgrade_cost.push_back(dice.uniform(0.0, 6.0));
        }
        models.push_back(std::move(one));
    }
    return models;
}

// With constant demand and unlimited cash: pick one model, upgrade it k times first, then use it. (Profits here never
// fall with a level, and a use is never worse than nothing.)
TEST(service_policy, unlimited_cash_has_a_closed_form) {
    for (std::uint32_t number = 0; number < 2000; ++number) {
        random_stream dice(3, "test", "closed form", 0, number);
        auto models = random_models(dice);
        for (auto& one : models) {
            for (auto& value : one.profit) {
                value = std::abs(value);
            }
            std::sort(one.profit.begin(), one.profit.end());
        }
        const auto rules = random_rules(dice, false, models.size(), true);
        double best = -1e300;
        for (const auto& one : models) {
            double spent = 0.0;
            for (std::size_t k = 0; k < one.profit.size() && k <= static_cast<std::size_t>(rules.rounds); ++k) {
                best = std::max(best, (rules.rounds - static_cast<int>(k)) * one.profit[k] - spent);
                spent += k < one.upgrade_cost.size() ? one.upgrade_cost[k] : 0.0;
            }
        }
        const auto plan = best_plan(models, rules, 0, {std::vector<std::size_t>(models.size(), 0), 0.0});
        EXPECT_NEAR(plan.cash, best, 1e-9) << number;
    }
}

/// The best of all sequences of actions.
double best_by_trying(const std::vector<service_model>& models, const service_rules& rules, int round,
                      const service_state& state) {
    if (round == rules.rounds) {
        return state.cash;
    }
    double best = best_by_trying(models, rules, round + 1, state); // nothing is done
    for (const bool upgrade : {false, true}) {
        for (std::size_t model = 0; model < models.size(); ++model) {
            if (is_possible(models, rules, round, state, {upgrade, model})) {
                auto after = state;
                apply(models, rules, round, after, {upgrade, model});
                best = std::max(best, best_by_trying(models, rules, round + 1, after));
            }
        }
    }
    return best;
}

TEST(service_policy, no_sequence_of_actions_is_better_with_liquidity_and_changing_demand) {
    int poor = 0;
    for (std::uint32_t number = 0; number < 400; ++number) {
        random_stream dice(4, "test", "trying", 0, number);
        const auto models = random_models(dice);
        auto rules = random_rules(dice, true, models.size(), number % 3 == 0);
        rules.rounds = std::min(rules.rounds, 5);
        const service_state start{std::vector<std::size_t>(models.size(), 0), dice.uniform(0.0, 3.0)};
        const auto plan = best_plan(models, rules, 0, start);
        const double best = best_by_trying(models, rules, 0, start);
        EXPECT_NEAR(plan.cash, best, 1e-9) << number;
        auto state = start; // the plan can be followed, and ends there
        ASSERT_EQ(plan.actions.size(), static_cast<std::size_t>(rules.rounds));
        for (int round = 0; round < rules.rounds; ++round) {
            if (const auto action = plan.actions[static_cast<std::size_t>(round)]) {
                ASSERT_TRUE(is_possible(models, rules, round, state, *action)) << number;
                apply(models, rules, round, state, *action);
            }
        }
        EXPECT_NEAR(state.cash, plan.cash, 1e-9) << number;
        auto free = rules;
        free.liquidity = false;
        poor += best_plan(models, free, 0, start).cash > best + 1e-9 ? 1 : 0;
    }
    EXPECT_GT(poor, 40) << "liquidity is to matter in some";
}

// What is really earned may bring cash below 0; then a service that earns leads out of it again.
TEST(service_policy, what_does_not_lower_cash_is_possible_in_debt) {
    const std::vector<service_model> models{{"a", {0.3, 0.4}, {0.2}}, {"b", {-0.1}, {}}};
    const service_rules rules{4, true, {}};
    const service_state in_debt{{0, 0}, -0.5};
    EXPECT_TRUE(is_possible(models, rules, 0, in_debt, {false, 0}));
    EXPECT_FALSE(is_possible(models, rules, 0, in_debt, {true, 0})) << "it costs";
    EXPECT_FALSE(is_possible(models, rules, 0, in_debt, {false, 1})) << "it loses";
    // -0.5 + 4 x 0.3: the upgrade can be paid for after the third round, and that is too late.
    EXPECT_NEAR(best_plan(models, rules, 0, in_debt).cash, 0.7, 1e-12);
    random_stream dice(1, "test", "debt");
    EXPECT_EQ(choose_service(service_policy::msip, models, rules, 0, in_debt, dice), (service_action{false, 0}));
    EXPECT_TRUE(is_possible({{"c", {1.0, 1.0}, {0.0}}}, rules, 0, {{0}, -1.0}, {true, 0})) << "it is free";
}

TEST(service_policy, too_many_combinations_are_refused) {
    std::vector<service_model> models(9, {"m", std::vector<double>(10, 1.0), std::vector<double>(9, 1.0)});
    EXPECT_THROW(best_plan(models, {5, true, {}}, 0, {std::vector<std::size_t>(9, 0), 0.0}), usage_error);
}

} // namespace
} // namespace gaisnet
