#pragma once

#include "results/rows.hpp"
#include "roles/cast.hpp"
#include "rounds/emulated_network.hpp"
#include "rounds/round_decisions.hpp"
#include "runtime/ledger_pass.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {

/// The contribution of one device or link to the latency of its edge's round.
struct critical_share {
    std::uint32_t node = 0, peer = 0;
    link_class link{};
    event_kind kind{};
    double seconds = 0;
};

/// The ledger's result for one round, over all edges.
struct round_forecast {
    std::vector<round_row> rounds; ///< Indexed by edge; without accuracy and loss.
    std::vector<node_row> nodes;
    std::vector<event_row> events;            ///< Sorted by edge, then by start.
    std::vector<critical_share> critical;     ///< Sorted by edge, then backwards from the end of its round.
    std::optional<federation_row> federation; ///< If the round ends with an average at the cloud.
    round_decisions decisions;
};

/// The federation as rows of a results file.
inline std::span<const federation_row> federations_of(const round_forecast& played) {
    return played.federation ? std::span(&*played.federation, 1) : std::span<const federation_row>();
}

/// The reason for the end of a run when ledger_run::anyone_left() is false.
inline constexpr const char* nobody_is_left = "no cluster has the clients that it needs: their batteries are empty";

/// What the ledger goes on with when clusters change.
struct ledger_state {
    std::vector<double> clocks_s; ///< Virtual time of each edge.
    double cloud_clock_s = 0;
    std::vector<double> battery_j;                ///< By node.
    std::map<std::uint32_t, std::int64_t> sensed; ///< Samples that a start point has sensed, by node.
};

/// Plays the rounds of a scenario in the ledger: their cost in time, energy and spectrum. Needs no torch, MPI or data.
class ledger_run {
public:
    /// \param rank_of the rank of every node. If given, the decisions contain the exchanges between ranks in one total
    /// order that respects the dependencies in the tensor pass (see exchange_order), by their start relative to that of the
    /// edge's round.
    explicit ledger_run(const deployment&, std::vector<int> rank_of = {});
    /// Goes on where another one has stopped, with other clusters of the same nodes.
    ledger_run(const deployment&, std::vector<int> rank_of, const ledger_state&);
    ledger_state state() const;

    /// Plays round `round` (from 1); rounds must be played in order.
    round_forecast play(int round);
    /// Plays round `round` of one edge, without a federation; the others are idle meanwhile. The rows are of that edge
    /// only.
    round_forecast play_one(int round, std::uint32_t edge);
    /// Keeps an edge idle until a time.
    void wait_until(std::uint32_t edge, double time_s) { clocks_[edge] = std::max(clocks_[edge], time_s); }

    /// Whether any cluster can take part in later rounds; empty batteries stay empty.
    bool anyone_left() const;

    /// Virtual time of each edge, s.
    const std::vector<double>& clocks() const { return clocks_; }
    std::uint64_t events_fired() const { return emulated_.queue().fired(); }

private:
    /// One edge's round in the ledger, or one turn of it.
    struct edge_round {
        std::uint32_t edge = 0;
        double since_s = 0;            ///< Start of the round to which the turn belongs.
        double start_s = 0, end_s = 0; ///< Of this turn.
        std::int64_t last = -1;        ///< The last event.
        round_closing closing;
        std::vector<std::uint32_t> members;
        std::vector<memory_account> memory; ///< Indexed like members.
        std::vector<sent_message> between_ranks;
        std::map<channel, std::vector<double>> arrivals; ///< `clock = real`
        std::map<int, std::vector<double>> batch_starts; ///< Indexed by cluster.
    };
    /// \param since_s by edge, the start of the round to which the turn belongs.
    round_forecast play_edges(int round, std::span<const std::uint32_t> edges, const std::vector<double>& since_s,
                              int turn = 0);
    bool sits_out(int cluster, int turn) const;
    /// Appends a later turn of the same round.
    static void append_turn(round_forecast& round, round_forecast turn);
    void play_edge(std::uint32_t edge, double since_s, std::vector<std::vector<client_loss>>& losses, round_plan& plan,
                   round_forecast& out, exchange_order& exchanges);
    edge_round play_once(std::uint32_t edge, double since_s, const round_plan&);
    std::vector<std::vector<client_loss>> without_batteries() const;
    std::optional<std::pair<int, client_loss>> find_empty_battery(const edge_round&, const round_plan&) const;
    std::optional<std::pair<int, takeover>> find_full_memory(const edge_round&, const round_plan&) const;
    void note_sensing(std::uint32_t edge, const round_plan&);
    std::map<std::uint32_t, std::uint64_t> taken_bytes(const round_plan&) const; ///< By node.
    void federate(round_forecast& out, round_decisions& decided);
    void report(const edge_round&, const round_plan&, round_forecast& out, exchange_order& exchanges);
    average_expectation expectation_of(std::uint32_t edge, const round_plan&) const;

    const deployment& deploy_;
    std::vector<int> rank_of_; ///< Empty: exchanges are not recorded.
    emulated_network emulated_;
    ledger& ledger_;
    cast cast_;
    std::vector<double> clocks_;
    double cloud_clock_ = 0;                              ///< The cloud's idle power is charged up to this time.
    std::vector<double> battery_j_;                       ///< Remaining energy, by node.
    indexed<std::int64_t> sensed_;                        ///< Samples that the start point has sensed, by cluster.
    std::map<std::uint32_t, std::int64_t> sensed_before_; ///< By node, under other clusters.
    std::vector<std::uint64_t> backbone_bytes_;           ///< Frozen weights that the node does not hold, by node.
    std::vector<std::uint64_t> resident_bytes_; ///< Weights, tunables, gradients and optimiser state, by node.
};

} // namespace gaisnet
