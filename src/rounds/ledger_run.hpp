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

/// What one device or link contributes to the latency of its edge's round.
struct critical_share {
    std::uint32_t node = 0, peer = 0;
    link_class link{};
    event_kind kind{};
    double seconds = 0;
};

/// One round as the ledger sees it, of all edges.
struct round_forecast {
    std::vector<round_row> rounds; ///< By edge; without accuracy and loss.
    std::vector<node_row> nodes;
    std::vector<event_row> events;            ///< By edge, then by start.
    std::vector<critical_share> critical;     ///< By edge, from the end of its round backwards.
    std::optional<federation_row> federation; ///< When the round ends with the edges' average at the cloud.
    round_decisions decisions;
};

/// As the rows that a results file takes.
inline std::span<const federation_row> federations_of(const round_forecast& played) {
    return played.federation ? std::span(&*played.federation, 1) : std::span<const federation_row>();
}

/// Why no round follows when ledger_run::anyone_left() is false.
inline constexpr const char* nobody_is_left = "no cluster has the clients that it needs: their batteries are empty";

/// The ledger over the rounds of a scenario: what time, energy and spectrum they cost. Without torch, MPI and data.
class ledger_run {
public:
    /// \param rank_of the rank of every node. When given, the decisions hold the exchanges between ranks, in one order
    /// that extends what depends on what, in the tensor pass as well: clusters in waves of runtime.active_clusters,
    /// since a rank lets no more of them compute at a time; within a wave by the ledger's start, counted from the start
    /// of the edge's round, then by the order of sending. Delivery comes before all waves, and an edge's average
    /// belongs to the wave of its last cluster.
    explicit ledger_run(const deployment&, std::vector<int> rank_of = {});

    /// Plays round `round` (from 1); rounds must come in order.
    round_forecast play(int round);
    /// Plays round `round` of one edge, without a federation; the others do nothing meanwhile. Rows are of that edge
    /// only.
    round_forecast play_one(int round, std::uint32_t edge);
    /// An edge does nothing until a time.
    void wait_until(std::uint32_t edge, double time_s) { clocks_[edge] = std::max(clocks_[edge], time_s); }

    /// Whether a cluster can take part in rounds to come: empty batteries stay empty.
    bool anyone_left() const;

    /// Virtual time of each edge, s.
    const std::vector<double>& clocks() const { return clocks_; }
    std::uint64_t events_fired() const { return emulated_.queue().fired(); }

private:
    /// An edge's round in the ledger.
    struct edge_round {
        std::uint32_t edge = 0;
        double since_s = 0;            ///< When the round began whose turn this is.
        double start_s = 0, end_s = 0; ///< Of the turn.
        std::int64_t last = -1;        ///< The event with which it ended.
        round_closing closing;
        std::vector<std::uint32_t> members;
        std::vector<memory_account> memory; ///< By member.
        std::vector<sent_message> between_ranks;
        std::map<channel, std::vector<double>> arrivals; ///< `clock = real`
        std::map<int, std::vector<double>> batch_starts; ///< By cluster.
    };
    /// \param since_s by edge, when the round began whose turn this is.
    round_forecast play_edges(int round, std::span<const std::uint32_t> edges, const std::vector<double>& since_s,
                              int turn = 0);
    bool sits_out(int cluster, int turn) const;
    /// Adds a later turn of the same round.
    static void append_turn(round_forecast& round, round_forecast turn);
    void play_edge(std::uint32_t edge, double since_s, std::vector<std::vector<client_loss>>& losses, round_plan& plan,
                   round_forecast& out, exchange_order& exchanges);
    edge_round play_once(std::uint32_t edge, double since_s, const round_plan&);
    std::vector<std::vector<client_loss>> without_batteries() const;
    std::optional<std::pair<int, client_loss>> find_empty_battery(const edge_round&, const round_plan&) const;
    std::optional<std::pair<int, takeover>> find_full_memory(const edge_round&, const round_plan&) const;
    void note_sensing(std::uint32_t edge, const round_plan&);
    std::uint64_t taken_bytes(std::uint32_t node, const round_plan&) const;
    void federate(round_forecast& out, round_decisions& decided);
    void report(const edge_round&, const round_plan&, round_forecast& out, exchange_order& exchanges);
    average_expectation expectation_of(std::uint32_t edge, const round_plan&) const;
    int wave_of(int cluster) const;

    const deployment& deploy_;
    std::vector<int> rank_of_; ///< Empty: exchanges are not wanted.
    emulated_network emulated_;
    ledger& ledger_;
    cast cast_;
    std::vector<double> clocks_;
    double cloud_clock_ = 0;                    ///< Up to which the cloud's idle power is charged.
    std::vector<double> battery_j_;             ///< By node: what is left.
    std::vector<std::int64_t> sensed_;          ///< By cluster: samples that its start point has sensed.
    std::vector<std::uint64_t> backbone_bytes_; ///< By node: frozen weights that it does not hold.
    std::vector<std::uint64_t> resident_bytes_; ///< By node: weights, tunables, gradients, optimiser state.
};

} // namespace gaisnet
