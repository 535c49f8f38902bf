#pragma once

#include "emulation/ledger.hpp"
#include "metrics/rows.hpp"
#include "roles/cast.hpp"

#include <cstdint>
#include <vector>

namespace gaisnet {

/// What the tensor pass has to obey.
struct round_decisions {
    std::vector<std::uint32_t> averages; ///< Edges in the order in which their averages begin.
};

/// One round as the ledger sees it, of all edges.
struct round_forecast {
    std::vector<round_row> rounds; ///< By edge; without accuracy and loss.
    std::vector<node_row> nodes;
    std::vector<event_row> events; ///< By edge, then by start.
    round_decisions decisions;
};

/// The ledger over the rounds of a scenario: what time, energy and spectrum they cost. Without torch, MPI and data.
class ledger_run {
public:
    explicit ledger_run(const deployment&);

    /// Plays round `round` (from 1); rounds must come in order.
    round_forecast play(int round);

    /// Virtual time of each edge, s.
    const std::vector<double>& clocks() const { return clocks_; }
    std::uint64_t events_fired() const { return queue_.fired(); }

private:
    void play_edge(std::uint32_t edge, int round, round_forecast& out);

    const deployment& deploy_;
    event_queue queue_;
    ledger ledger_;
    cast cast_;
    std::vector<double> clocks_;
    std::vector<std::uint64_t> resident_bytes_; ///< By node: weights, tunables, gradients, optimiser state.
};

/// Topology for tables: nodes (with their ranks) and links.
std::vector<node_description> describe_nodes(const deployment&, const std::vector<int>& rank_of);
std::vector<link_description> describe_links(const deployment&);

} // namespace gaisnet
