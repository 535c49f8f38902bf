#include "planning/service_outlook.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

namespace {

constexpr double no_more_requests = std::numeric_limits<double>::infinity();

/// Requests whose deadline has passed no longer wait.
void give_up_overdue(const service_outlook& outlook, outlook_state& state) {
    for (std::size_t client = 0; client < outlook.clients.size(); ++client) {
        auto& first = state.first[client];
        first = std::max(first, outlook.clients[client].requests.overdue(state.now_s));
    }
}

double next_request_s(const service_outlook& outlook, double now_s) {
    double next = no_more_requests;
    for (const auto& client : outlook.clients) {
        next = std::min(next, client.requests.time_of(client.requests.arrived(now_s)));
    }
    return next;
}

double accuracy_now(const service_outlook& outlook, const outlook_state& state, std::size_t model) {
    return outlook.models[model].accuracy.at(state.levels[model]);
}

bool cash_allows(const service_outlook& outlook, const outlook_state& state, service_candidate one, bool next) {
    constexpr double rounding = 1e-9;
    const double income = outlook.liquidity ? income_of(outlook, state, one, next) : 0.0;
    return income >= 0.0 || state.cash + income >= -rounding; // what earns is welcome in need, too
}

bool can_be_done(const service_outlook& outlook, const outlook_state& state, service_candidate one, bool next) {
    const bool there = one.tunes ? state.levels[one.number] + 1 < outlook.models[one.number].accuracy.size()
                                 : answerable(outlook, state, one.number) > 0;
    return there && cash_allows(outlook, state, one, next);
}

} // namespace

service_price tuning_price(std::span<const service_price> in_order, std::size_t rounds_before) {
    return in_order.empty() ? service_price{} : in_order[std::min(rounds_before, in_order.size() - 1)];
}

outlook_state begin_outlook(const service_outlook& outlook, double cash, double now_s) {
    outlook_state state{now_s,
                        cash,
                        std::vector<std::size_t>(outlook.models.size(), 0),
                        std::vector<std::int64_t>(outlook.clients.size(), 0),
                        -1,
                        std::vector<std::int64_t>(outlook.clients.size(), -1)};
    give_up_overdue(outlook, state);
    return state;
}

std::int64_t answerable(const service_outlook& outlook, const outlook_state& state, std::size_t client) {
    const auto waiting = outlook.clients[client].requests.arrived(state.now_s) - state.first[client];
    return outlook.per_session > 0 ? std::min(waiting, outlook.per_session) : waiting;
}

double longest_wait(const service_outlook& outlook, const outlook_state& state, std::size_t client) {
    return state.now_s - outlook.clients[client].requests.time_of(state.first[client]);
}

std::vector<service_candidate> candidates_of(const service_outlook& outlook, const outlook_state& state, bool next) {
    std::vector<service_candidate> all;
    for (const bool tunes : {true, false}) {
        const auto count = tunes ? outlook.models.size() : outlook.clients.size();
        for (std::size_t number = 0; number < count; ++number) {
            if (can_be_done(outlook, state, {tunes, number}, next)) {
                all.push_back({tunes, number});
            }
        }
    }
    return all;
}

service_price price_of(const service_outlook& outlook, const outlook_state& state, service_candidate one, bool next) {
    if (one.tunes) {
        return tuning_price(outlook.models[one.number].tuning, state.levels[one.number]);
    }
    const auto& client = outlook.clients[one.number];
    if (next && client.next) {
        return *client.next;
    }
    const auto requests = static_cast<double>(answerable(outlook, state, one.number));
    const bool has = state.delivered[one.number] == static_cast<std::int64_t>(state.levels[client.model]);
    const auto delivery = has ? service_price{} : client.delivery;
    return {client.session.latency_s + delivery.latency_s + requests * client.request.latency_s,
            client.session.cost + delivery.cost + requests * client.request.cost};
}

double income_of(const service_outlook& outlook, const outlook_state& state, service_candidate one, bool next) {
    const double cost = price_of(outlook, state, one, next).cost;
    if (one.tunes) {
        return -cost;
    }
    const auto model = outlook.clients[one.number].model;
    return outlook.models[model].value * accuracy_now(outlook, state, model) *
               static_cast<double>(answerable(outlook, state, one.number)) -
           cost;
}

void pass_round(const service_outlook& outlook, outlook_state& state, std::optional<service_candidate> done,
                bool next) {
    if (!done) {
        const double next_s = next_request_s(outlook, state.now_s);
        state.now_s = next_s < no_more_requests ? next_s : state.now_s;
    } else {
        const double latency_s = price_of(outlook, state, *done, next).latency_s;
        state.cash += income_of(outlook, state, *done, next);
        if (done->tunes) {
            ++state.levels[done->number];
        } else {
            state.first[done->number] += answerable(outlook, state, done->number);
            state.last_client = static_cast<std::int64_t>(done->number);
            state.delivered[done->number] =
                static_cast<std::int64_t>(state.levels[outlook.clients[done->number].model]);
        }
        state.now_s += latency_s;
    }
    give_up_overdue(outlook, state);
}

std::optional<service_candidate> choose_service(service_policy policy, const service_outlook& outlook,
                                                const outlook_state& state, int rounds_left, random_stream& stream) {
    if (policy == service_policy::mlcp || policy == service_policy::oracle) {
        const auto plan = best_services(outlook, state, rounds_left);
        return plan.services.empty() ? std::nullopt : plan.services.front();
    }
    auto possible = candidates_of(outlook, state, true);
    if (policy == service_policy::fair || policy == service_policy::always_infer) {
        std::erase_if(possible, [](const auto& one) { return one.tunes; });
    }
    if (possible.empty()) {
        return std::nullopt;
    }
    const auto in_turn = [&] {
        const auto after = std::find_if(possible.begin(), possible.end(), [&](const auto& one) {
            return static_cast<std::int64_t>(one.number) > state.last_client;
        });
        return after == possible.end() ? possible.front() : *after;
    };
    const auto income = [&](const auto& one) { return income_of(outlook, state, one, true); };
    if (policy == service_policy::random) {
        return possible[stream.below(possible.size())];
    }
    if (policy == service_policy::fair) { // of those that have waited equally long the one whose turn it is
        double longest = 0.0;
        for (const auto& one : possible) {
            longest = std::max(longest, longest_wait(outlook, state, one.number));
        }
        std::erase_if(possible, [&](const auto& one) { return longest_wait(outlook, state, one.number) < longest; });
        return in_turn();
    }
    if (policy == service_policy::always_infer) {
        return in_turn();
    }
    const auto best = *std::max_element(possible.begin(), possible.end(),
                                        [&](const auto& a, const auto& b) { return income(a) < income(b); });
    return income(best) < 0.0 ? std::nullopt : std::optional(best);
}

} // namespace gaisnet
