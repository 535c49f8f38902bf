#include "scenario/services.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

namespace {

void check_policies(const service_settings& serve, const value_reader& in) {
    if (serve.policies.size() > 1 && !serve.by_table) {
        in.reject("serve.policy", "one policy is accepted; serve.mode = table compares several");
    }
    if (!serve.by_table && serve.policies.front() == service_policy::oracle) {
        in.reject("serve.policy",
                  "an oracle knows what training will bring, and nobody does: what it would have earned "
                  "is told after the run (serve.regret)");
    }
    const bool fair =
        std::find(serve.policies.begin(), serve.policies.end(), service_policy::fair) != serve.policies.end();
    if (fair && !serve.requests_wait()) {
        in.reject("serve.policy",
                  "fair asks which request has waited longest, and none waits: serve.arrivals = poisson, "
                  "burst or trace is accepted with it");
    }
}

void check_service_arrivals(const service_settings& serve, const value_reader& in) {
    const bool by_trace = serve.arrivals == service_arrivals::trace;
    if (by_trace != in.is_set("serve.trace")) {
        in.reject("serve.trace",
                  by_trace ? "serve.arrivals = trace needs a file of times" : "it goes with serve.arrivals = trace");
    }
}

void make_models(service_settings& serve, const value_reader& in) {
    const auto& profits = serve.profits;
    const auto& costs = serve.upgrade_costs;
    if (profits.empty()) {
        in.reject("serve.profit", "serve.mode = table needs a list of profits by level for each model, for example "
                                  "5,6,7; 4,5,7; 3,7,12");
    }
    if (costs.size() != profits.size()) {
        in.reject("serve.cost", std::to_string(costs.size()) + " lists for " + std::to_string(profits.size()) +
                                    " models; one for each is accepted");
    }
    for (std::size_t i = 0; i < profits.size(); ++i) {
        if (profits[i].empty() || costs[i].size() + 1 != profits[i].size()) {
            in.reject("serve.cost", "model " + std::to_string(i) + " has " + std::to_string(profits[i].size()) +
                                        " levels and " + std::to_string(costs[i].size()) +
                                        " costs: one for each step between two levels is accepted");
        }
        const std::string name = i < 26 ? std::string(1, static_cast<char>('a' + i)) : "m" + std::to_string(i);
        serve.models.push_back({name, profits[i], costs[i]});
    }
}

} // namespace

std::vector<service_policy> service_settings::parse_policies(const std::string& text) {
    std::vector<service_policy> policies;
    for (const auto& one : service_policy_words) {
        if (text == "all" && one.value != service_policy::fair) { // in a table nobody waits
            policies.push_back(one.value);
        }
    }
    for (const auto& name : text == "all" ? std::vector<std::string>() : split_text(text, ',')) {
        const auto found = std::find_if(std::begin(service_policy_words), std::end(service_policy_words),
                                        [&](const auto& one) { return one.text == name; });
        if (found == std::end(service_policy_words)) {
            throw usage_error("\"" + name + "\": mlcp, msip, random, always_infer, fair, oracle are accepted");
        }
        policies.push_back(found->value);
    }
    if (policies.empty()) {
        throw usage_error("a policy is accepted; with serve.mode = table several, or all");
    }
    return policies;
}

std::vector<double> service_settings::parse_numbers(const std::string& text, const range& accepted) {
    std::vector<double> numbers;
    for (const auto& number : split_text(text, ',')) {
        numbers.push_back(parse_number(number, accepted));
    }
    return numbers;
}

std::vector<double> service_settings::parse_times(const std::string& text) {
    std::vector<double> times;
    for (const auto& time : split_text(text, ',')) {
        times.push_back(parse_quantity(time, dimension::time));
        if (!(times.back() > 0.0)) {
            throw usage_error("\"" + time + "\": a time above 0 is accepted");
        }
    }
    return times;
}

std::vector<std::vector<double>> service_settings::parse_lists(const std::string& text, const range& accepted) {
    std::vector<std::vector<double>> lists;
    for (const auto& list : split_text(text, ';')) {
        lists.push_back(parse_numbers(list, accepted));
    }
    return lists;
}

void check_services(scenario& scene, const value_reader& in) {
    auto& serve = scene.serve;
    check_policies(serve, in);
    const auto edges = static_cast<std::size_t>(scene.network.edges);
    if (serve.by_table) {
        make_models(serve, in);
    } else {
        for (const auto* key : {"serve.profit", "serve.cost"}) {
            if (in.is_changed(key)) {
                in.reject(key, "it belongs to serve.mode = table");
            }
        }
    }
    const auto models = serve.by_table ? serve.models.size() : edges;
    const auto fit_to_models = [&](const char* key, std::vector<double>& numbers) {
        if (numbers.size() != 1 && numbers.size() != models) {
            in.reject(key, std::to_string(numbers.size()) + " numbers for " + std::to_string(models) +
                               (serve.by_table ? " models" : " edges") + "; one for all, or one for each, is accepted");
        }
        numbers.resize(models, numbers.front());
    };
    if (serve.demand.empty()) {
        in.reject("serve.demand", "numbers are accepted");
    }
    for (auto& list : serve.demand) {
        fit_to_models("serve.demand", list);
        for (const double requests : list) {
            if (!serve.by_table && requests != std::floor(requests)) {
                in.reject("serve.demand", "whole numbers of requests are accepted");
            }
        }
    }
    fit_to_models("serve.value", serve.value);
    check_service_arrivals(serve, in);
    if (serve.deadline_s.empty()) {
        serve.deadline_s = {std::numeric_limits<double>::infinity()};
    }
    if (!serve.by_table) {
        fit_to_models("serve.rate", serve.rate);
        fit_to_models("serve.deadline", serve.deadline_s);
    }
    if (!serve.curves.empty() && serve.curves.size() != edges) {
        in.reject("serve.curves", std::to_string(serve.curves.size()) + " lists for " + std::to_string(edges) +
                                      " edges; one for each is accepted");
    }
    for (const auto& curve : serve.curves) {
        if (curve.size() < 2) {
            in.reject("serve.curves", "a list begins with the accuracy before any round; two numbers or more are "
                                      "accepted");
        }
    }
}

} // namespace gaisnet
