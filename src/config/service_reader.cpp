#include "config/service_reader.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

std::vector<double> numbers_of(const value_reader& in, const std::string& key, const std::string& list, double least,
                               double most) {
    std::vector<double> numbers;
    for (const auto& word : split_text(list, ',')) {
        numbers.push_back(in.number(key, word, least, most));
    }
    return numbers;
}

std::vector<std::vector<double>> lists_of(const value_reader& in, const std::string& key, double least, double most) {
    std::vector<std::vector<double>> lists;
    for (const auto& list : split_text(in.text(key), ';')) {
        lists.push_back(numbers_of(in, key, list, least, most));
    }
    return lists;
}

void read_policies(const value_reader& in, scenario& out) {
    using enum service_policy;
    const std::vector<std::pair<std::string, service_policy>> known{
        {"mlcp", mlcp}, {"msip", msip}, {"random", random}, {"always_infer", always_infer}, {"oracle", oracle}};
    auto& serve = out.serve;
    serve.policies.clear();
    if (in.text("serve.policy") == "all" && serve.by_table) {
        for (const auto& [word, policy] : known) {
            serve.policies.push_back(policy);
        }
        return;
    }
    for (const auto& word : split_text(in.text("serve.policy"), ',')) {
        const auto found = std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.first == word; });
        if (found == known.end()) {
            in.reject("serve.policy", "\"" + word + "\": mlcp, msip, random, always_infer, oracle are accepted");
        }
        serve.policies.push_back(found->second);
    }
    if (serve.policies.empty() || (!serve.by_table && serve.policies.size() > 1)) {
        in.reject("serve.policy", serve.by_table ? "a policy is accepted, several, or all"
                                                 : "one policy is accepted; serve.mode = table compares several");
    }
    if (!serve.by_table && serve.policies.front() == oracle) {
        in.reject("serve.policy",
                  "an oracle knows what training will bring, and nobody does: what it would have earned "
                  "is told after the run (serve.regret)");
    }
}

void read_table(const value_reader& in, scenario& out) {
    const auto profits = lists_of(in, "serve.profit", -1e300, 1e300);
    const auto costs = lists_of(in, "serve.cost", 0.0, 1e300);
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
        out.serve.models.push_back({name, profits[i], costs[i]});
    }
}

} // namespace

void read_services(const value_reader& in, scenario& out) {
    auto& serve = out.serve;
    serve.by_table = in.choice<bool>("serve.mode", {{"real", false}, {"table", true}});
    serve.rounds = static_cast<int>(in.integer("serve.rounds", 1, 10'000));
    read_policies(in, out);
    serve.liquidity = in.onoff("serve.liquidity");
    serve.cash = in.real("serve.cash", 0.0, 1e300);
    const auto edges = static_cast<std::size_t>(out.network.edges);
    if (serve.by_table) {
        read_table(in, out);
    } else {
        for (const auto* key : {"serve.profit", "serve.cost"}) {
            if (in.is_changed(key)) {
                in.reject(key, "it belongs to serve.mode = table");
            }
        }
    }
    const auto models = serve.by_table ? serve.models.size() : edges;
    const auto by_model = [&](const char* key, std::vector<double> numbers) {
        if (numbers.size() != 1 && numbers.size() != models) {
            in.reject(key, std::to_string(numbers.size()) + " numbers for " + std::to_string(models) +
                               (serve.by_table ? " models" : " edges") + "; one for all, or one for each, is accepted");
        }
        numbers.resize(models, numbers.front());
        return numbers;
    };
    serve.demand.clear();
    for (auto& list : lists_of(in, "serve.demand", 0.0, 1e6)) {
        serve.demand.push_back(by_model("serve.demand", std::move(list)));
        for (const double requests : serve.demand.back()) {
            if (!serve.by_table && requests != std::floor(requests)) {
                in.reject("serve.demand", "whole numbers of requests are accepted");
            }
        }
    }
    if (serve.demand.empty()) {
        in.reject("serve.demand", "numbers are accepted");
    }
    serve.value = by_model("serve.value", numbers_of(in, "serve.value", in.text("serve.value"), 0.0, 1e300));
    serve.price_time = in.real("serve.price.time", 0.0, 1e300);
    serve.price_energy = in.real("serve.price.energy", 0.0, 1e300);
    serve.price_spectrum = in.real("serve.price.spectrum", 0.0, 1e300);
    serve.curves = lists_of(in, "serve.curves", 0.0, 1.0);
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
    serve.regret = in.onoff("serve.regret");
}

} // namespace gaisnet
