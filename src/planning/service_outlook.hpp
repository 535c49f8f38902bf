#pragma once

#include "base/random.hpp"
#include "planning/request_stream.hpp"
#include "scenario/services.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gaisnet {

/// What a service takes: emulated time, and the price of its time, energy and spectrum.
struct service_price {
    double latency_s = 0, cost = 0;
};

/// The model of an edge. Its gain by fine-tuning is the difference of two accuracies; a predicted one has how well the
/// data of the edge's clients fit its domain in it (see gain_curve).
struct outlook_model {
    std::vector<double> accuracy; ///< By rounds of fine-tuning, 0..1.
    double value = 1;             ///< Of a right answer.
    /// Rounds of fine-tuning in order: the first one may cost more than the others. The last one is that of all further
    /// rounds; empty: they take nothing.
    std::vector<service_price> tuning;
};
/// What the round of fine-tuning takes that follows on some others. \param in_order see outlook_model::tuning.
service_price tuning_price(std::span<const service_price> in_order, std::size_t rounds_before);

/// A client whose requests the model of its edge answers, in sessions along a chain of its own.
struct outlook_client {
    std::size_t model = 0;
    request_stream requests;
    service_price session, request;    ///< A session takes the first once, and the second for each of its requests.
    std::optional<service_price> next; ///< A session that is the next service; absent: by the others.
    service_price delivery{};          ///< More, when the modules have to be delivered to the client's chain.
};

/// Whom to serve, when requests come by themselves and wait: what a policy knows, or believes, of all that can be done.
struct service_outlook {
    std::vector<outlook_model> models;
    std::vector<outlook_client> clients;
    std::int64_t per_session = 0; ///< Requests that a session answers, at most; 0: all that wait.
    bool liquidity = true;        ///< No service may make cash negative, or lower it when it is.
};

/// Where service stands between two rounds.
struct outlook_state {
    double now_s = 0, cash = 0;
    std::vector<std::size_t> levels; ///< Rounds of fine-tuning, by model.
    std::vector<std::int64_t> first; ///< By client: requests before this one were answered or given up.
    std::int64_t last_client = -1;   ///< The one that was answered last.
    /// By client: rounds of fine-tuning of the model that its chain has; -1: none.
    std::vector<std::int64_t> delivered{};
};
/// The state at a time at which nothing was answered yet.
outlook_state begin_outlook(const service_outlook&, double cash, double now_s = 0.0);

/// A candidate of a round: one edge's model is fine-tuned, or waiting requests of one client are answered.
struct service_candidate {
    bool tunes = false;
    std::size_t number = 0; ///< Of the model, or of the client.
    bool operator==(const service_candidate&) const = default;
};

/// Requests of a client that a session would answer now.
std::int64_t answerable(const service_outlook&, const outlook_state&, std::size_t client);
/// How long the oldest waiting request of a client has waited, s; a client without waiting requests: negative.
double longest_wait(const service_outlook&, const outlook_state&, std::size_t client);

/// Fine-tuning of every model that has a further level and, after these, every client with waiting requests. With
/// liquidity those that cash allows. \param next see outlook_client::next: whether this is the round that it is of.
std::vector<service_candidate> candidates_of(const service_outlook&, const outlook_state&, bool next);

/// What a candidate takes.
service_price price_of(const service_outlook&, const outlook_state&, service_candidate, bool next);
/// Income: value x accuracy x requests - price, or minus the price of fine-tuning.
double income_of(const service_outlook&, const outlook_state&, service_candidate, bool next);
/// Profits over the rounds that are left, by candidate. Of a client: its income. Of fine-tuning: gain in accuracy x value
/// x requests of the edge that wait or will come while these rounds last - price.
std::vector<double> profits_of(const service_outlook&, const outlook_state&, std::span<const service_candidate>,
                               int rounds_left, bool next);
/// Lets a round pass, and requests come and expire. A round in which nothing is done lasts until the next request
/// comes, of whichever client.
void pass_round(const service_outlook&, outlook_state&, std::optional<service_candidate>, bool next);

/// Services in order, and the cash after them.
struct service_sequence {
    std::vector<std::optional<service_candidate>> services;
    double cash = 0;
    bool exact = false; ///< No sequence has more cash: everything was searched through.
    double looks = 0;   ///< At a client or model in a state: the work of the search, about.
};

/// The sequence with the largest final cash, by search over rounds. Of ways to the same levels, requests, deliveries and
/// time the one with more cash is followed. Small instances are searched through, and the result is exact. Of others
/// the states are kept that bring most when they are gone on from by the largest income of each round (rollout,
/// Bertsekas), from each state only the most profitable candidates are tried, and when the work is done the rest goes by
/// the largest income.
/// \param most_looks bounds the work.
service_sequence best_services(const service_outlook&, const outlook_state&, int rounds,
                               std::size_t most_looks = 10'000'000);

/// The service of the next round; nothing: none. \param stream for `random`.
std::optional<service_candidate> choose_service(service_policy, const service_outlook&, const outlook_state&,
                                                int rounds_left, random_stream& stream);

} // namespace gaisnet
