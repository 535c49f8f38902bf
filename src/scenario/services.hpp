#pragma once

// Rounds of service, in which a policy chooses between fine-tuning a model and using it: [serve].

#include "scenario/inference.hpp"
#include "settings/key.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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
    fair,         ///< The client whose oldest request has waited longest; models are never upgraded.
    oracle,       ///< The best plan with the true profits.
};
inline constexpr word<service_policy> service_policy_words[] = {
    {"mlcp", service_policy::mlcp},     {"msip", service_policy::msip},
    {"random", service_policy::random}, {"always_infer", service_policy::always_infer},
    {"fair", service_policy::fair},     {"oracle", service_policy::oracle}};

inline constexpr word<bool> service_mode_words[] = {{"real", false}, {"table", true}};

/// When the requests of start points come.
enum class service_arrivals {
    given,   ///< A round of use finds as many as serve.demand says.
    poisson, ///< A Poisson process.
    burst,   ///< All at the start.
    trace,   ///< At the times of a file.
};
inline constexpr word<service_arrivals> service_arrival_words[] = {{"given", service_arrivals::given},
                                                                   {"poisson", service_arrivals::poisson},
                                                                   {"burst", service_arrivals::burst},
                                                                   {"trace", service_arrivals::trace}};

/// How good a text is that a model writes, 0 to 1, by what the model is at validation.
enum class text_quality { accuracy, perplexity };
inline constexpr word<text_quality> text_quality_words[] = {{"accuracy", text_quality::accuracy},
                                                            {"perplexity", text_quality::perplexity}};

inline constexpr word<bool> service_forecast_words[] = {{"smoothed", false}, {"known", true}};

struct service_settings {
    static constexpr section key{"serve", commands::serve};
    /// Profits and costs are given; otherwise they come from runs.
    bool by_table =
        key.choice("mode", "real", service_mode_words, "services are really done; or profits and costs are given");
    int rounds = key.count("rounds", "10", "rounds of service: in each a model is fine-tuned or answers requests",
                           within(1, 10'000));
    /// With a table, several policies can be compared.
    std::vector<service_policy> policies =
        key.parsed("policy", "mlcp", "mlcp, msip, random, always_infer, fair, oracle; with a table several, or all",
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
                   [](const std::string& text) { return parse_lists(text, within(0, 1e6)); },
                   {.when = {with("serve.arrivals", {"given"})}});
    service_arrivals arrivals =
        key.choice("arrivals", "given", service_arrival_words,
                   "a round of use has serve.demand requests; or requests come as a Poisson process, all at the start, "
                   "or as serve.trace says, and wait for a round that answers them",
                   of_runs());
    /// By edge.
    std::vector<double> rate = key.parsed(
        "rate", "10", "numbers of at least 0",
        "requests a second of emulated time under an edge, in equal parts from its start points (poisson); by edge, or "
        "one for all",
        [](const std::string& text) { return parse_numbers(text, within(0, 1e9)); },
        of_waiting("serve.arrivals", {"poisson"}));
    std::int64_t requests = key.integer("requests", "100", "requests of each start point, at most (poisson, burst)",
                                        within(1, 1e6), of_waiting("serve.arrivals", {"poisson", "burst"}));
    std::shared_ptr<const request_trace> trace =
        key.file("trace", "CSV of time, for all start points, or of client, time", "file of times of requests (trace)",
                 read_request_trace, of_waiting("serve.arrivals", {"trace"}));
    /// s, by edge; infinite: none.
    std::vector<double> deadline_s =
        key.parsed("deadline", "", "times above 0 with their units, such as 500 ms",
                   "time after which a request is given up that still waits; by edge, or one for all; not set: none",
                   parse_times, of_waiting());
    /// 0: all that wait.
    std::int64_t per_session =
        key.integer("per_session", "0", "requests of a client that a round answers, at most; 0: all that wait",
                    within(0, 1e6), of_waiting());
    /// Whether a policy knows when requests will come.
    bool knows_demand =
        key.choice("forecast", "smoothed", service_forecast_words,
                   "demand ahead is forecast from the requests so far, or known, as an oracle would", of_waiting());
    /// In the middle of the usual 0.1 to 0.3: a mean over 2 / 0.2 - 1 = 9 rounds has errors as large.
    double smoothing = key.real("smoothing", "0.2", "weight of the last round in the forecast of demand",
                                above_to(0, 1), of_waiting("serve.forecast", {"smoothed"}));
    /// Value of a correct answer; by edge, or one for all.
    std::vector<double> value = key.parsed(
        "value", "1", "numbers", "value of a right answer, or of a perfect text; by edge, or one for all",
        [](const std::string& text) { return parse_numbers(text, at_least(0)); }, of_runs());
    /// Of models that tell next tokens.
    text_quality quality = key.choice(
        "quality", "accuracy", text_quality_words,
        "what part of serve.value a text is worth: how many next tokens its model tells right at validation, or "
        "1 / perplexity there, the mean probability of the right token (geometric)",
        {.when = {with("serve.mode", {"real"}), with("model.family", {"llama", "gpt2"}),
                  unless("model.task", {"classification"})}});
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

    /// Whether requests come by a process of their own, and wait.
    bool requests_wait() const { return !by_table && arrivals != service_arrivals::given; }

private:
    static key_traits of_table() { return {.when = {with("serve.mode", {"table"})}}; }
    static key_traits of_runs() { return {.when = {with("serve.mode", {"real"})}}; }
    static key_traits of_waiting() {
        return {.when = {with("serve.mode", {"real"}), unless("serve.arrivals", {"given"})}};
    }
    static key_traits of_waiting(const char* key, std::vector<std::string> values) {
        auto traits = of_waiting();
        traits.when.push_back(with(key, std::move(values)));
        return traits;
    }
    static std::vector<service_policy> parse_policies(const std::string&);
    static std::vector<double> parse_numbers(const std::string&, const range&);
    static std::vector<double> parse_times(const std::string&);
    static std::vector<std::vector<double>> parse_lists(const std::string&, const range&);
};

/// Also makes the models of a table and expands single numbers to one per model. \throws usage_error
void check_services(scenario&, const value_reader&);

} // namespace gaisnet
