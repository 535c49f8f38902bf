#pragma once

#include "results/rows.hpp"
#include "roles/cast.hpp"
#include "rounds/emulated_network.hpp"
#include "rounds/round_decisions.hpp"
#include "runtime/ledger_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace gaisnet {

/// What the tensor pass of a session of inference has to obey.
struct inference_decisions {
    std::vector<std::vector<request_batch>> batches; ///< By cluster
    std::vector<decided_exchange> exchanges;         ///< See exchange_order.
    /// `clock = real`: when messages arrive, s since the start of the session.
    std::map<channel, std::vector<double>> arrivals;
    double latency_s = 0; ///< From the start to the last result.

    static auto parts(auto& self) { return std::tie(self.batches, self.exchanges, self.arrivals, self.latency_s); }
};

/// Some batches of a session for the tensor pass: with the ones before and after they make the whole session, and
/// between two parts nothing is under way, so what has been answered can be kept. All but the first find their clusters
/// founded and their modules delivered.
struct session_part {
    inference_plan plan;
    inference_decisions decisions;
};
/// Batches `first` to `end` - 1 of every cluster that has so many. Its times count from the first of them.
session_part part_of(const inference_plan&, const inference_decisions&, std::size_t first, std::size_t end);
/// Batches of the cluster that has the most.
std::size_t most_batches(const inference_decisions&);

/// A session of inference as the ledger sees it, of all edges.
struct inference_forecast {
    std::vector<request_row> requests; ///< By cluster, then in the order of arrival; without predictions.
    std::vector<node_row> nodes;
    std::vector<event_row> events; ///< By start.
    std::vector<double> end_s;     ///< By edge: when its last result was back.
    inference_decisions decisions;
};

/// The ledger over sessions of inference: what they cost in time, energy and spectrum. Without torch, MPI and data.
class inference_ledger {
public:
    /// \param rank_of the rank of every node. When given, the decisions hold the exchanges between ranks.
    explicit inference_ledger(const deployment&, std::vector<int> rank_of = {});

    /// Plays session `number` (from 1), which begins at `start_s`.
    inference_forecast play(const inference_plan&, int number = 1, double start_s = 0.0);

private:
    void add_requests(const ledger_pass&, int cluster, std::uint32_t number, inference_forecast&) const;
    void order_exchanges(const std::vector<sent_message>&, inference_forecast&) const;

    const deployment& deploy_;
    std::vector<int> rank_of_; ///< Empty: exchanges are not wanted.
    emulated_network emulated_;
    cast cast_;
};

} // namespace gaisnet
