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
    double promise = 0; ///< Cash at the end when it is gone on from here by the largest income of each round.
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

/// The client that brings the largest income now; nothing: none brings any.
std::optional<service_candidate> most_profitable(const service_outlook& outlook, const outlook_state& state) {
    std::optional<service_candidate> best;
    double most = 0.0;
    for (std::size_t client = 0; client < outlook.clients.size(); ++client) {
        const service_candidate one{false, client};
        if (answerable(outlook, state, client) > 0) {
            if (const double income = income_of(outlook, state, one, false); income > most) {
                most = income;
                best = one;
            }
        }
    }
    return best;
}

/// Goes on by the largest income of each round. \returns the services, without those at the end that are nothing.
std::vector<std::optional<service_candidate>> go_on(const service_outlook& outlook, outlook_state& state, int rounds) {
    std::vector<std::optional<service_candidate>> services;
    for (int round = 0; round < rounds; ++round) {
        const auto service = most_profitable(outlook, state);
        const double before_s = state.now_s;
        pass_round(outlook, state, service, false);
        if (!service && state.now_s == before_s) {
            break; // nobody comes any more
        }
        services.push_back(service);
    }
    return services;
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
                               std::size_t most_incomes) {
    constexpr int farthest = 1000; // rounds; what comes later is planned later
    constexpr double narrowest = 8, widest = 4096;
    const int ahead = std::min(rounds, farthest);
    const auto candidates = static_cast<double>(outlook.models.size() + outlook.clients.size() + 1);
    const auto incomes_of_a_round = static_cast<double>(outlook.clients.size() + 1);
    const auto budget = static_cast<double>(most_incomes);
    const double width =
        std::clamp(budget / (incomes_of_a_round * candidates * std::max(1, ahead * ahead)), narrowest, widest);
    double looked_at = 0.0;

    std::vector<reached_state> reached{{state, 0, std::nullopt, state.cash}};
    std::vector<std::vector<reached_by>> ways;
    for (int round = 0; round < ahead && looked_at < budget; ++round) {
        auto after = one_round_on(outlook, reached, round == 0);
        if (round + 1 == ahead || static_cast<double>(after.size()) > width) {
            for (auto& one : after) {
                auto end = one.state;
                const auto rounds_on = go_on(outlook, end, ahead - round - 1).size();
                looked_at += static_cast<double>(rounds_on + 1) * incomes_of_a_round;
                one.promise = end.cash;
            }
            std::stable_sort(after.begin(), after.end(),
                             [](const auto& a, const auto& b) { return a.promise > b.promise; });
            after.resize(std::min(after.size(), static_cast<std::size_t>(width)));
        }
        auto& way = ways.emplace_back();
        for (const auto& one : after) {
            way.push_back({one.parent, one.by});
        }
        reached = std::move(after);
    }
    service_sequence best;
    std::uint32_t at = 0;
    for (auto way = ways.rbegin(); way != ways.rend(); ++way) {
        best.services.push_back((*way)[at].service);
        at = (*way)[at].parent;
    }
    std::reverse(best.services.begin(), best.services.end());
    auto end = reached.front().state;
    const auto rest = go_on(outlook, end, ahead - static_cast<int>(best.services.size()));
    best.services.insert(best.services.end(), rest.begin(), rest.end());
    best.services.resize(static_cast<std::size_t>(std::max(0, rounds)));
    best.cash = end.cash;
    return best;
}

} // namespace gaisnet
