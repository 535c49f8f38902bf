#include "planning/service_outlook.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace gaisnet {

namespace {

/// Emulated time that rounds of service last: each the mean of all that could be done.
double lasting_s(const service_outlook& outlook, int rounds) {
    double sum = 0.0;
    for (const auto& model : outlook.models) {
        sum += model.tuning.latency_s;
    }
    for (const auto& client : outlook.clients) {
        sum += client.session.latency_s + client.request.latency_s;
    }
    const auto count = outlook.models.size() + outlook.clients.size();
    return count == 0 ? 0.0 : rounds * sum / static_cast<double>(count);
}

/// Requests of a client that wait or come until then, and that so many rounds can answer.
double requests_until(const service_outlook& outlook, const outlook_state& state, std::size_t client, double until_s,
                      int rounds) {
    const auto ahead = outlook.clients[client].requests.arrived(until_s) - state.first[client];
    const auto most = outlook.per_session > 0 ? outlook.per_session * rounds : ahead;
    return static_cast<double>(std::max<std::int64_t>(0, std::min(ahead, most)));
}

/// A state that was reached, and how.
struct reached_state {
    outlook_state state;
    std::uint32_t parent = 0; ///< Among those of the round before.
    std::optional<service_candidate> by;
    double promise = 0; ///< Cash, and profit of the requests ahead.
};

struct reached_by {
    std::uint32_t parent = 0;
    std::optional<service_candidate> service;
};

/// What decides about all that can come: everything but cash.
std::string state_key(const outlook_state& state) {
    std::string key;
    const auto add = [&](const void* data, std::size_t bytes) { key.append(static_cast<const char*>(data), bytes); };
    add(&state.now_s, sizeof state.now_s);
    add(state.levels.data(), state.levels.size() * sizeof state.levels.front());
    add(state.first.data(), state.first.size() * sizeof state.first.front());
    return key;
}

double promise_of(const service_outlook& outlook, const outlook_state& state, int rounds_left, double round_s) {
    double profit = 0.0;
    double asking = 0.0;
    const double until_s = state.now_s + rounds_left * round_s;
    for (std::size_t number = 0; number < outlook.clients.size() && rounds_left > 0; ++number) {
        const auto& client = outlook.clients[number];
        const auto& model = outlook.models[client.model];
        const double requests = requests_until(outlook, state, number, until_s, rounds_left);
        const double each = model.value * model.accuracy.at(state.levels[client.model]) - client.request.cost;
        if (requests > 0.0 && requests * each > client.session.cost) {
            profit += requests * each - client.session.cost;
            asking += 1.0;
        }
    }
    return state.cash + (asking > rounds_left ? profit * rounds_left / asking : profit);
}

/// All states that are one round further.
std::vector<reached_state> one_round_on(const service_outlook& outlook, const std::vector<reached_state>& before,
                                        bool next) {
    std::vector<reached_state> after;
    std::unordered_map<std::string, std::size_t> places;
    for (std::uint32_t parent = 0; parent < before.size(); ++parent) {
        const auto& from = before[parent].state;
        std::vector<std::optional<service_candidate>> services;
        for (const auto& one : candidates_of(outlook, from, next)) {
            services.emplace_back(one);
        }
        services.emplace_back();
        for (const auto& service : services) {
            auto state = from;
            pass_round(outlook, state, service, next);
            const auto [place, is_new] = places.try_emplace(state_key(state), after.size());
            if (is_new) {
                after.push_back({std::move(state), parent, service, 0.0});
            } else if (state.cash > after[place->second].state.cash) {
                after[place->second] = {std::move(state), parent, service, 0.0};
            }
        }
    }
    return after;
}

} // namespace

double profit_of(const service_outlook& outlook, const outlook_state& state, service_candidate one, int rounds_left) {
    if (!one.tunes) {
        return income_of(outlook, state, one, true);
    }
    const auto& model = outlook.models[one.number];
    const auto level = state.levels[one.number];
    const double until_s = state.now_s + lasting_s(outlook, rounds_left);
    double requests = 0.0;
    for (std::size_t client = 0; client < outlook.clients.size(); ++client) {
        requests += outlook.clients[client].model == one.number
                        ? requests_until(outlook, state, client, until_s, rounds_left)
                        : 0.0;
    }
    return model.value * (model.accuracy.at(level + 1) - model.accuracy.at(level)) * requests - model.tuning.cost;
}

service_sequence best_services(const service_outlook& outlook, const outlook_state& state, int rounds,
                               std::size_t most_visited) {
    constexpr std::size_t fewest_states = 8;
    const auto expansions =
        static_cast<std::size_t>(std::max(1, rounds)) * (outlook.models.size() + outlook.clients.size() + 1);
    const auto width = std::max(fewest_states, most_visited / expansions);
    const double round_s = lasting_s(outlook, 1);
    std::vector<reached_state> reached{{state, 0, std::nullopt, state.cash}};
    std::vector<std::vector<reached_by>> ways;
    for (int round = 0; round < rounds; ++round) {
        auto after = one_round_on(outlook, reached, round == 0);
        for (auto& one : after) {
            one.promise = promise_of(outlook, one.state, rounds - round - 1, round_s);
        }
        std::stable_sort(after.begin(), after.end(), [](const auto& a, const auto& b) { return a.promise > b.promise; });
        if (after.size() > width) {
            after.resize(width);
        }
        auto& way = ways.emplace_back();
        for (const auto& one : after) {
            way.push_back({one.parent, one.by});
        }
        reached = std::move(after);
    }
    // After the last round promise is cash, so the best state is the first one.
    service_sequence best{{}, reached.front().state.cash};
    std::uint32_t at = 0;
    for (auto way = ways.rbegin(); way != ways.rend(); ++way) {
        best.services.push_back((*way)[at].service);
        at = (*way)[at].parent;
    }
    std::reverse(best.services.begin(), best.services.end());
    return best;
}

} // namespace gaisnet
