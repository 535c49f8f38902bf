#pragma once

#include "planning/request_stream.hpp"
#include "planning/service_outlook.hpp"
#include "results/rows.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// A start point that asks for inference.
struct desk_client {
    std::string name;
    std::size_t edge = 0;
    std::vector<double> arrivals_s; ///< Of its requests; see draw_service_arrivals().
};

/// The requests of all clients (serve.arrivals): who waits since when, what demand is forecast, who is served next, and
/// what became of each client's requests.
class request_desk {
public:
    /// \param scene must outlive the desk. \param clients by cluster.
    request_desk(const scenario& scene, std::vector<desk_client> clients);

    /// What sessions of a client take, as it is forecast: a price for each session, one for each request, and one more
    /// when modules have to be delivered before.
    void price(std::size_t client, service_price session, service_price request, service_price delivery);
    /// What a session of all that can be answered would take, if it were the next service.
    void price_next(std::size_t client, service_price);

    double now_s() const { return now_s_; }
    /// The first of a client's requests that still waits, or is to come.
    std::int64_t first(std::size_t client) const { return queues_[client].first; }
    /// Requests of a client that the next round can answer.
    std::int64_t answerable(std::size_t client) const;
    /// When one of a client's requests came.
    double arrival_s(std::size_t client, std::int64_t request) const {
        return queues_[client].arrivals_s.at(static_cast<std::size_t>(request));
    }
    /// When the next request of any client comes; infinite: there is none.
    double next_arrival_s() const;

    /// Whom the policy serves in the next round; nothing: nobody. \param models as the policy believes them to be.
    /// \param levels their rounds of fine-tuning.
    std::optional<service_candidate> choose(int round, std::vector<outlook_model> models,
                                            const std::vector<std::size_t>& levels, double cash);
    /// The candidates of the round of the last choose(), with what was believed of them.
    const std::vector<service_candidate_row>& candidates() const { return candidates_; }

    /// All that can be answered of a client is, by the model as it was at the last choose(): their waits end now. \param
    /// right answers that are.
    void answer(std::size_t client, double right);
    /// A round has ended: requests come and are given up, and the forecast of demand learns.
    void pass_to(double now_s);

    /// What became of each client's requests, by cluster.
    std::vector<service_client_row> clients() const;

    /// What one would have done who knows when requests come, and the models, by the prices that are known now. \param
    /// models as they are. \param cash at the start. \param liquidity whether it binds.
    service_sequence best(std::vector<outlook_model> models, double cash, int rounds, bool liquidity) const;

private:
    struct queue {
        std::string name;
        std::size_t edge = 0;
        std::vector<double> arrivals_s;
        smoothed_rate rate;
        service_price session{}, request{}, delivery{};
        std::optional<service_price> next{};
        std::int64_t first = 0, delivered = -1;
        std::uint64_t answered = 0, expired = 0;
        double right = 0;
        double waited_s = 0, longest_wait_s = 0;
    };
    request_stream all_of(const queue&) const;
    request_stream believed_of(const queue&) const;
    service_outlook outlook(std::vector<outlook_model>, bool knows_demand) const;
    outlook_state state(const std::vector<std::size_t>& levels, double cash) const;
    void note_candidates(int round, const service_outlook&, const outlook_state&,
                         const std::optional<service_candidate>& chosen);

    const scenario& scene_;
    std::vector<queue> queues_; ///< By cluster
    double now_s_ = 0;
    std::int64_t last_client_ = -1;
    std::vector<std::size_t> levels_; ///< Of the last choose().
    std::vector<service_candidate_row> candidates_;
};

} // namespace gaisnet
