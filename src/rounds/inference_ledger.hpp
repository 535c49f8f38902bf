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

/// Decisions of the ledger pass that the tensor pass of a session of inference follows.
struct inference_decisions {
    indexed<std::vector<request_batch>> batches; ///< Indexed by cluster.
    std::vector<decided_exchange> exchanges;     ///< See exchange_order.
    /// For `clock = real`: arrival times of messages, s since the start of the session.
    std::map<channel, std::vector<double>> arrivals;
    double latency_s = 0; ///< From the start to the last result.

    static auto parts(auto& self) { return std::tie(self.batches, self.exchanges, self.arrivals, self.latency_s); }
};

/// Some batches of a session, or the texts of some requests, for the tensor pass. The parts of a session cover all its batches, and nothing is under
/// way between two parts, so the answers so far can be stored. In all parts but the first the clusters are founded and
/// the modules delivered.
struct session_part {
    inference_plan plan;
    inference_decisions decisions;
};
/// Batches, or texts, `first` to `end` - 1 of every cluster that has as many. Times are relative to the first of them.
session_part part_of(const inference_plan&, const inference_decisions&, std::size_t first, std::size_t end);
/// The largest number of batches, or texts, of a cluster.
std::size_t most_batches(const inference_decisions&);

/// What one device or link adds to the latencies of the requests that pass it, each request counted.
struct request_share {
    std::uint32_t node = 0, peer = 0; ///< If equal, the device of that node.
    link_class link{};
    double took_s = 0;    ///< Computing, or carrying.
    double waited_s = 0;  ///< Busy with other batches.
    double latency_s = 0; ///< Of these requests, whole.
};

/// The ledger's result for a session of inference, over all edges.
struct inference_forecast {
    std::vector<token_row> tokens;     ///< Of texts: by cluster, in the order in which they were told.
    std::vector<request_row> requests; ///< By cluster, then by arrival; without predictions.
    std::vector<node_row> nodes;
    std::vector<event_row> events;     ///< Sorted by start.
    indexed<double> end_s;             ///< By edge: when its last result was back.
    std::vector<request_share> shares; ///< In the order in which they were first used.
    inference_decisions decisions;
};

/// Plays sessions of inference in the ledger: their cost in time, energy and spectrum. Needs no torch, MPI or data.
class inference_ledger {
public:
    /// \param rank_of the rank of every node. If given, the decisions contain the exchanges between ranks.
    explicit inference_ledger(const deployment&, std::vector<int> rank_of = {});

    /// Plays session `number` (from 1), which begins at `start_s`. \param edge rows of this edge's nodes only; -1: all.
    inference_forecast play(const inference_plan&, int number = 1, double start_s = 0.0, int edge = -1);

private:
    void add_requests(const ledger_pass&, int cluster, std::uint32_t number, inference_forecast&) const;
    void explain(const ledger_pass&, const served_requests::batch_log&, request_row&, double& now) const;
    void add_shares(const ledger_pass&, int cluster, inference_forecast&) const;
    void order_exchanges(const inference_plan&, const std::vector<sent_message>&, inference_forecast&) const;

    const deployment& deploy_;
    std::vector<int> rank_of_; ///< Empty: exchanges are not recorded.
    emulated_network emulated_;
    cast cast_;
    std::vector<std::uint64_t> backbone_bytes_; ///< Frozen weights that the node does not hold, by node.
    std::vector<std::uint64_t> resident_bytes_; ///< Weights and tunables, by node.
};

} // namespace gaisnet
