#include "planning/request_desk.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace gaisnet {

request_desk::request_desk(const scenario& scene, std::vector<desk_client> clients): scene_(scene) {
    for (auto& client : clients) {
        queues_.push_back(
            {std::move(client.name), client.edge, std::move(client.arrivals_s), smoothed_rate(scene.serve.smoothing)});
    }
}

void request_desk::price(std::size_t client, service_price session, service_price request, service_price delivery) {
    queues_[client].session = session;
    queues_[client].request = request;
    queues_[client].delivery = delivery;
}

void request_desk::price_next(std::size_t client, service_price next) { queues_[client].next = next; }

/// With all requests that will come.
request_stream request_desk::all_of(const queue& its) const {
    return {its.arrivals_s, 0.0, 0.0, scene_.serve.deadline_s.at(its.edge)};
}

/// With those that have come, and a forecast of the others.
request_stream request_desk::believed_of(const queue& its) const {
    auto stream = all_of(its);
    stream.known_s = stream.known_s.first(static_cast<std::size_t>(stream.arrived(now_s_)));
    stream.since_s = now_s_;
    stream.per_second = its.rate.per_second();
    return stream;
}

service_outlook request_desk::outlook(std::vector<outlook_model> models, bool knows_demand) const {
    service_outlook all{std::move(models), {}, scene_.serve.per_session, scene_.serve.liquidity};
    for (const auto& its : queues_) {
        all.clients.push_back({its.edge, knows_demand ? all_of(its) : believed_of(its), its.session, its.request,
                               its.next, its.delivery});
    }
    return all;
}

outlook_state request_desk::state(const std::vector<std::size_t>& levels, double cash) const {
    outlook_state now{now_s_, cash, levels, {}, last_client_, {}};
    for (const auto& its : queues_) {
        now.first.push_back(its.first);
        now.delivered.push_back(its.delivered);
    }
    return now;
}

std::int64_t request_desk::answerable(std::size_t client) const {
    const auto& its = queues_[client];
    const auto waiting = all_of(its).arrived(now_s_) - its.first;
    return scene_.serve.per_session > 0 ? std::min(waiting, scene_.serve.per_session) : waiting;
}

double request_desk::next_arrival_s() const {
    double next = std::numeric_limits<double>::infinity();
    for (const auto& its : queues_) {
        const auto stream = all_of(its);
        next = std::min(next, stream.time_of(stream.arrived(now_s_)));
    }
    return next;
}

std::optional<service_candidate> request_desk::choose(int round, std::vector<outlook_model> models,
                                                      const std::vector<std::size_t>& levels, double cash) {
    const auto& serve = scene_.serve;
    const auto believed = outlook(std::move(models), serve.knows_demand);
    const auto now = state(levels, cash);
    random_stream stream(scene_.seed, "service", "services", static_cast<std::uint32_t>(round));
    const auto chosen = choose_service(serve.policies.front(), believed, now, serve.rounds - round, stream);
    note_candidates(round, believed, now, chosen);
    levels_ = levels;
    return chosen;
}

void request_desk::note_candidates(int round, const service_outlook& believed, const outlook_state& now,
                                   const std::optional<service_candidate>& chosen) {
    candidates_.clear();
    auto any = believed; // also what cash does not allow
    any.liquidity = false;
    const auto all = candidates_of(any, now, true);
    const auto profits = profits_of(believed, now, all, scene_.serve.rounds - round, true);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& one = all[i];
        const auto model = one.tunes ? one.number : believed.clients[one.number].model;
        const auto level = now.levels[model] + (one.tunes ? 1U : 0U);
        service_candidate_row row;
        row.round = static_cast<std::uint32_t>(round) + 1;
        row.action = one.tunes ? "fine_tune" : "infer";
        row.model = "edge" + std::to_string(model);
        row.expected = believed.models[model].accuracy.at(level);
        if (!one.tunes) {
            row.requester = queues_[one.number].name;
            row.requests = static_cast<std::uint64_t>(gaisnet::answerable(believed, now, one.number));
            row.wait_s = longest_wait(believed, now, one.number);
        }
        const auto price = price_of(believed, now, one, true);
        row.latency_s = price.latency_s;
        row.cost = price.cost;
        row.profit = profits[i];
        row.chosen = chosen == one;
        candidates_.push_back(std::move(row));
    }
}

void request_desk::answer(std::size_t client, double right) {
    auto& its = queues_[client];
    const auto count = answerable(client);
    for (auto request = its.first; request < its.first + count; ++request) {
        const double wait_s = now_s_ - arrival_s(client, request);
        its.waited_s += wait_s;
        its.longest_wait_s = std::max(its.longest_wait_s, wait_s);
    }
    its.first += count;
    its.answered += static_cast<std::uint64_t>(count);
    its.right += right;
    its.delivered = static_cast<std::int64_t>(levels_.at(its.edge));
    last_client_ = static_cast<std::int64_t>(client);
}

void request_desk::pass_to(double now_s) {
    for (auto& its : queues_) {
        const auto stream = all_of(its);
        its.rate.add(stream.arrived(now_s) - stream.arrived(now_s_), now_s - now_s_);
        const auto overdue = stream.overdue(now_s);
        its.expired += static_cast<std::uint64_t>(std::max<std::int64_t>(0, overdue - its.first));
        its.first = std::max(its.first, overdue);
        its.next.reset();
    }
    now_s_ = now_s;
}

std::vector<service_client_row> request_desk::clients() const {
    std::vector<service_client_row> rows;
    for (const auto& its : queues_) {
        auto& row = rows.emplace_back();
        const auto arrived = all_of(its).arrived(now_s_);
        row.client = its.name;
        row.edge = static_cast<std::uint32_t>(its.edge);
        row.arrived = static_cast<std::uint64_t>(arrived);
        row.answered = its.answered;
        row.right = its.right;
        row.expired = its.expired;
        row.waiting = static_cast<std::uint64_t>(arrived - its.first);
        const bool any = its.answered > 0;
        row.wait_s = any ? its.waited_s / static_cast<double>(its.answered) : std::numeric_limits<double>::quiet_NaN();
        row.longest_wait_s = any ? its.longest_wait_s : std::numeric_limits<double>::quiet_NaN();
    }
    return rows;
}

service_sequence request_desk::best(std::vector<outlook_model> models, double cash, int rounds, bool liquidity) const {
    auto known = outlook(std::move(models), true);
    known.liquidity = liquidity;
    for (auto& client : known.clients) {
        client.next.reset();
    }
    constexpr std::size_t oracle_looks = 100'000'000;
    return best_services(known, begin_outlook(known, cash), rounds, oracle_looks);
}

} // namespace gaisnet
