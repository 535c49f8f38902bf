#pragma once

// Rounds of service, in which a policy chooses between fine-tuning a model and using it: [serve].

#include "settings/key.hpp"

#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// The possible income from one model. In every round of service one model is upgraded by a level (fine-tuned), or one
/// is used (answers requests), or nothing is done.
struct service_model {
    std::string name;
    std::vector<double> profit;       ///< Profit of a round of use, by level.
    std::vector<double> upgrade_cost; ///< Cost of each upgrade to the next level; one fewer than profits.
};

enum class service_policy {
    mlcp,         ///< The best plan according to the current estimates, recomputed in every round.
    msip,         ///< The largest immediate income (maximum single immediate profit), unless it is negative.
    random,       ///< Any possible action, with equal probability.
    always_infer, ///< Models are used in turn and never upgraded.
    oracle,       ///< The best plan with the true profits.
};
inline constexpr word<service_policy> service_policy_words[] = {{"mlcp", service_policy::mlcp},
                                                                {"msip", service_policy::msip},
                                                                {"random", service_policy::random},
                                                                {"always_infer", service_policy::always_infer},
                                                                {"oracle", service_policy::oracle}};

inline constexpr word<bool> service_mode_words[] = {{"real", false}, {"table", true}};

struct service_settings {
    static constexpr section key{"serve", commands::serve};
    /// Profits and costs are given; otherwise they come from runs.
    bool by_table =
        key.choice("mode", "real", service_mode_words, "services are really done; or profits and costs are given");
    int rounds = key.count("rounds", "10", "rounds of service: in each a model is fine-tuned or answers requests",
                           within(1, 10'000));
    /// With a table, several policies can be compared.
    std::vector<service_policy> policies =
        key.parsed("policy", "mlcp", "mlcp, msip, random, always_infer, oracle; with a table several, or all",
                   "which service a round has", parse_policies);
    bool liquidity = key.onoff("liquidity", "on", "cash may never be negative");
    double cash = key.real("cash", "0", "cash at the start", at_least(0));
    std::vector<std::vector<double>> profits = key.parsed(
        "profit", "", "5,6,7; 4,5,7; 3,7,12", "profit of a round of use by level, a list for each model (table)",
        [](const std::string& text) { return parse_lists(text, any()); }, of_table());
    std::vector<std::vector<double>> upgrade_costs = key.parsed(
        "cost", "", "3,3; 3,3; 2,2", "cost of each step to the next level, a list for each model (table)",
        [](const std::string& text) { return parse_lists(text, at_least(0)); }, of_table());
    /// By round (the last one repeats) and model: number of requests in a round of use or, with a table, a factor.
    std::vector<std::vector<double>> demand =
        key.parsed("demand", "1", "10, or 10,20,5, or 10,20,5; 0,0,30",
                   "factor on profits (table), or requests of a round of use; by model, and by round with ; between "
                   "rounds",
                   [](const std::string& text) { return parse_lists(text, within(0, 1e6)); });
    /// Value of a correct answer; by edge, or one for all.
    std::vector<double> value = key.parsed(
        "value", "1", "numbers", "value of a right answer; by edge, or one for all",
        [](const std::string& text) { return parse_numbers(text, at_least(0)); }, of_runs());
    double price_time = key.real("price.time", "0", "price of a second of a service", at_least(0), of_runs());
    double price_energy =
        key.real("price.energy", "0", "price of a J, of all nodes of the edge", at_least(0), of_runs());
    double price_spectrum = key.real("price.spectrum", "0", "price of a Hz s", at_least(0), of_runs());
    /// Expected accuracies by edge and round; empty: fitted.
    std::vector<std::vector<double>> curves = key.parsed(
        "curves", "", "0.2,0.5,0.6; 0.3,0.4,0.5",
        "accuracy after 0, 1, 2, ... rounds as it is believed, a list for each edge; not set: fitted",
        [](const std::string& text) { return parse_lists(text, within(0, 1)); }, of_runs());
    /// Trains all edges to the end.
    bool regret =
        key.onoff("regret", "on", "train all edges to the end after the run, to know what an oracle would have earned",
                  of_runs());
    std::vector<service_model> models{}; ///< With a table: made from profits and costs when the scenario is read.

private:
    static key_traits of_table() { return {.when = {with("serve.mode", {"table"})}}; }
    static key_traits of_runs() { return {.when = {with("serve.mode", {"real"})}}; }
    static std::vector<service_policy> parse_policies(const std::string&);
    static std::vector<double> parse_numbers(const std::string&, const range&);
    static std::vector<std::vector<double>> parse_lists(const std::string&, const range&);
};

/// Also makes the models of a table and expands single numbers to one per model. \throws usage_error
void check_services(scenario&, const value_reader&);

} // namespace gaisnet
