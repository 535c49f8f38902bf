#include "planning/service_outlook.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace gaisnet {

namespace {

/// Emulated time that rounds of service last: each the mean of all that could be done.
double lasting_s(const service_outlook& outlook, const outlook_state& state, int rounds) {
    double sum = 0.0;
    for (std::size_t model = 0; model < outlook.models.size(); ++model) {
        sum += tuning_price(outlook.models[model].tuning, state.levels[model]).latency_s;
    }
    for (const auto& client : outlook.clients) {
        sum += client.session.latency_s + client.request.latency_s;
    }
    const auto count = outlook.models.size() + outlook.clients.size();
    return count == 0 ? 0.0 : rounds * sum / static_cast<double>(count);
}

/// By model: requests that wait or come in so many rounds, and that these can answer.
std::vector<double> requests_ahead(const service_outlook& outlook, const outlook_state& state, int rounds) {
    const double until_s = state.now_s + lasting_s(outlook, state, rounds);
    std::vector<double> requests(outlook.models.size(), 0.0);
    for (std::size_t client = 0; client < outlook.clients.size(); ++client) {
        const auto ahead = outlook.clients[client].requests.arrived(until_s) - state.first[client];
        const auto most = outlook.per_session > 0 ? outlook.per_session * rounds : ahead;
        requests[outlook.clients[client].model] +=
            static_cast<double>(std::max<std::int64_t>(0, std::min(ahead, most)));
    }
    return requests;
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

/// Of what decides about all that can come: everything but cash.
std::uint64_t state_hash(const outlook_state& state) {
    std::uint64_t hash = std::bit_cast<std::uint64_t>(state.now_s);
    const auto add = [&](std::uint64_t value) { // the finaliser of SplitMix64
        hash += value + 0x9e3779b97f4a7c15ULL;
        hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebULL;
        hash ^= hash >> 31U;
    };
    std::for_each(state.levels.begin(), state.levels.end(), add);
    for (std::size_t client = 0; client < state.first.size(); ++client) {
        add(static_cast<std::uint64_t>(state.first[client]));
        add(static_cast<std::uint64_t>(state.delivered[client]));
    }
    return hash;
}

bool differ_in_cash_only(const outlook_state& a, const outlook_state& b) {
    return a.now_s == b.now_s && a.levels == b.levels && a.first == b.first && a.delivered == b.delivered;
}

/// States of one round; of those that differ in cash only the richest.
class richest_states {
public:
    void add(reached_state one) {
        for (auto hash = state_hash(one.state);; ++hash) {
            const auto [place, is_new] = places_.try_emplace(hash, all_.size());
            if (is_new) {
                all_.push_back(std::move(one));
                return;
            }
            auto& known = all_[place->second];
            if (differ_in_cash_only(known.state, one.state)) {
                if (one.state.cash > known.state.cash) {
                    known = std::move(one);
                }
                return;
            }
        }
    }
    std::vector<reached_state> take() { return std::move(all_); }

private:
    std::vector<reached_state> all_;
    std::unordered_map<std::uint64_t, std::size_t> places_;
};

/// The client that brings the largest income now; nothing: none brings any. Cash allows whatever earns.
std::optional<service_candidate> most_profitable(const service_outlook& outlook, const outlook_state& state,
                                                 bool next) {
    std::optional<service_candidate> best;
    double most = 0.0;
    for (std::size_t client = 0; client < outlook.clients.size(); ++client) {
        const service_candidate one{false, client};
        if (answerable(outlook, state, client) > 0) {
            if (const double income = income_of(outlook, state, one, next); income > most) {
                most = income;
                best = one;
            }
        }
    }
    return best;
}

/// Goes on by the largest income of each round. \param next whether the first one is the next. \returns the services,
/// without those at the end that are nothing.
std::vector<std::optional<service_candidate>> go_on(const service_outlook& outlook, outlook_state& state, int rounds,
                                                    bool next) {
    std::vector<std::optional<service_candidate>> services;
    for (int round = 0; round < rounds; ++round) {
        const auto service = most_profitable(outlook, state, next && round == 0);
        const double before_s = state.now_s;
        pass_round(outlook, state, service, next && round == 0);
        if (!service && state.now_s == before_s) {
            break; // nobody comes any more
        }
        services.push_back(service);
    }
    return services;
}

/// A search over rounds: its bounds, and what it has done.
class search_of_services {
public:
    search_of_services(const service_outlook& outlook, int rounds, std::size_t most_looks)
        : outlook_(outlook)
        , rounds_(std::max(0, rounds))
        , looks_at_state_(static_cast<double>(outlook.models.size() + outlook.clients.size() + 1))
        , most_looks_(static_cast<double>(most_looks))
        , looks_left_(most_looks_) {
        constexpr double narrowest = 8, widest = 4096, fewest = 4;
        const double farthest = std::max(1.0, looks_left_ / (looks_at_state_ * 2 * narrowest * fewest));
        ahead_ = static_cast<int>(std::min<double>(rounds_, farthest));
        const double steps = std::max(1, ahead_), rollouts = looks_left_ / (steps * looks_at_state_);
        const double tried = std::clamp(rollouts / (4 * narrowest), fewest, std::max(fewest, looks_at_state_));
        tried_ = static_cast<std::size_t>(tried);
        width_ = static_cast<std::size_t>(
            std::clamp(rollouts / (std::min(2 * tried, looks_at_state_) * steps), narrowest, widest));
    }

    service_sequence from(const outlook_state& start) {
        std::vector<reached_state> reached{{start, 0, std::nullopt, 0.0}};
        judge(reached, ahead_);
        auto best = reached.front(); // of all that were judged
        std::size_t best_round = 0;
        std::vector<std::vector<reached_by>> ways;
        for (int left = ahead_ - 1; left >= 0 && !is_over(); --left) {
            reached = one_round_on(reached, left);
            judge(reached, left);
            if (reached.empty()) {
                break;
            }
            std::stable_sort(reached.begin(), reached.end(),
                             [](const auto& a, const auto& b) { return a.promise > b.promise; });
            if (left > 0 && reached.size() > width_) {
                reached.resize(width_);
                exact_ = false;
            }
            auto& way = ways.emplace_back();
            for (const auto& one : reached) {
                way.push_back({one.parent, one.by});
            }
            if (reached.front().promise > best.promise) {
                best = reached.front();
                best_round = ways.size();
            }
        }
        service_sequence found;
        found.services.resize(best_round);
        found.exact = exact_ && ways.size() == static_cast<std::size_t>(rounds_);
        std::uint32_t at = 0; // the best one of a round is its first
        for (auto round = best_round; round-- > 0;) {
            found.services[round] = ways[round][at].service;
            at = ways[round][at].parent;
        }
        const auto rest = go_on(outlook_, best.state, rounds_ - static_cast<int>(best_round), best_round == 0);
        found.services.insert(found.services.end(), rest.begin(), rest.end());
        found.services.resize(static_cast<std::size_t>(rounds_));
        found.cash = best.state.cash;
        found.looks = most_looks_ - looks_left_ + static_cast<double>(rest.size()) * looks_at_state_;
        return found;
    }

private:
    bool is_over() {
        exact_ = exact_ && looks_left_ > 0.0;
        return looks_left_ <= 0.0;
    }

    /// All that is tried in a state; of each kind the most profitable ones.
    std::vector<std::optional<service_candidate>> services_in(const outlook_state& state, int left, bool next) {
        auto all = candidates_of(outlook_, state, next);
        looks_left_ -= looks_at_state_;
        const auto clients =
            std::find_if(all.begin(), all.end(), [](const auto& one) { return !one.tunes; }) - all.begin();
        const auto tuned = static_cast<std::size_t>(clients), answered = all.size() - tuned;
        if (tuned > tried_ || answered > tried_) {
            exact_ = false;
            looks_left_ -= looks_at_state_;
            const auto profits = profits_of(outlook_, state, all, rounds_ - ahead_ + left + 1, next);
            std::vector<service_candidate> kept;
            const auto keep = [&](std::size_t from, std::size_t count) {
                std::vector<std::size_t> order(count);
                std::iota(order.begin(), order.end(), from);
                std::stable_sort(order.begin(), order.end(),
                                 [&](std::size_t a, std::size_t b) { return profits[a] > profits[b]; });
                order.resize(std::min(count, tried_));
                std::sort(order.begin(), order.end());
                std::for_each(order.begin(), order.end(), [&](auto one) { kept.push_back(all[one]); });
            };
            keep(0, tuned);
            keep(tuned, answered);
            all = std::move(kept);
        }
        std::vector<std::optional<service_candidate>> services(all.begin(), all.end());
        services.emplace_back(); // nothing is done
        return services;
    }

    /// The states that are one round further.
    std::vector<reached_state> one_round_on(const std::vector<reached_state>& before, int left) {
        const bool next = left + 1 == ahead_;
        richest_states after;
        for (std::uint32_t parent = 0; parent < before.size() && !is_over(); ++parent) {
            const auto& from = before[parent].state;
            for (const auto& service : services_in(from, left, next)) {
                if (is_over()) {
                    break;
                }
                auto state = from;
                pass_round(outlook_, state, service, next);
                looks_left_ -= looks_at_state_;
                after.add({std::move(state), parent, service, 0.0});
            }
        }
        return after.take();
    }

    /// Finds what each state promises; those for which no work is left are dropped.
    void judge(std::vector<reached_state>& states, int left) {
        for (std::size_t i = 0; i < states.size(); ++i) {
            if (i > 0 && is_over()) {
                states.resize(i);
                return;
            }
            auto end = states[i].state;
            const auto rounds_on = go_on(outlook_, end, left, left == ahead_).size();
            looks_left_ -= static_cast<double>(rounds_on + 1) * looks_at_state_;
            states[i].promise = end.cash;
        }
    }

    const service_outlook& outlook_;
    int rounds_;
    int ahead_ = 0; ///< Rounds that are searched; those after them go by the largest income.
    double looks_at_state_, most_looks_, looks_left_;
    std::size_t tried_ = 0; ///< Candidates of each kind, in a state.
    std::size_t width_ = 0; ///< States of a round that are gone on from.
    bool exact_ = true;
};

} // namespace

std::vector<double> profits_of(const service_outlook& outlook, const outlook_state& state,
                               std::span<const service_candidate> candidates, int rounds_left, bool next) {
    const auto requests = requests_ahead(outlook, state, rounds_left);
    std::vector<double> profits;
    for (const auto& one : candidates) {
        double profit = income_of(outlook, state, one, next);
        if (one.tunes) {
            const auto& model = outlook.models[one.number];
            const auto level = state.levels[one.number];
            profit += model.value * (model.accuracy.at(level + 1) - model.accuracy.at(level)) * requests[one.number];
        }
        profits.push_back(profit);
    }
    return profits;
}

service_sequence best_services(const service_outlook& outlook, const outlook_state& state, int rounds,
                               std::size_t most_looks) {
    return search_of_services(outlook, rounds, most_looks).from(state);
}

} // namespace gaisnet
