#pragma once

#include "base/text.hpp"
#include "results/rows.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

constexpr int node_roles = 3; ///< Size of arrays with one entry a node_role.

/// Latency and its parts along the critical path, s.
struct latency_summary {
    double total_s = 0;
    latency_parts parts;
};

/// The largest peaks among the nodes of one role, and which nodes had them.
struct memory_peak {
    int nodes = 0; ///< Nodes of the role.
    std::uint64_t temporary_bytes = 0, total_bytes = 0;
    std::uint64_t with_backbone_bytes = 0; ///< total_bytes if it also held all frozen weights.
    std::string temporary_node, total_node;
};

/// One line of the round-by-round table: all edges together.
struct round_line {
    std::uint32_t round = 0;
    double accuracy = 0, loss = 0; ///< Means over the edges; NaN when there was no evaluation.
    double latency_s = 0;          ///< The largest of the edges.
    energy_parts energy;           ///< Sum over the edges.
};

/// What was used, whatever for.
struct resource_summary {
    double client_flops = 0, edge_flops = 0;
    std::array<energy_parts, node_roles> energy{};   ///< By node_role.
    std::array<std::uint64_t, link_classes> bytes{}; ///< By link_class.
    std::array<double, link_classes> airtime_hz_s{};
    std::array<memory_peak, node_roles> memory{};

    energy_parts energy_of_all() const {
        energy_parts sum;
        for (const auto& one : energy) {
            sum += one;
        }
        return sum;
    }
};

/// Which clock a run had, and how well it was kept.
struct clock_summary {
    std::string clock; ///< "virtual" or "real"
    double time_scale = 1.0;
    std::vector<double> lateness; ///< s, of each message of a run with the real clock.
};
/// Lines of an end table.
std::string clock_lines(const clock_summary&);

/// What the end table shows. summarise() fills everything that follows from rows; the rest is the caller's.
struct run_summary : clock_summary, resource_summary {
    // From rows, up to and with the round of convergence.
    double accuracy = std::numeric_limits<double>::quiet_NaN(); ///< After the last counted round, mean over the edges.
    double loss = std::numeric_limits<double>::quiet_NaN();
    std::uint32_t rounds = 0;  ///< Counted rounds.
    std::uint64_t samples = 0; ///< Trained on, epochs counted.
    std::uint64_t clusters_done = 0, clusters_cut = 0, clusters_lost = 0,
                  clusters_repaired = 0; ///< Over rounds and edges.
    latency_summary latency;             ///< Of the edge that took longest in all.
    double wall_s = 0;             ///< Of the counted rounds; the rounds of several edges overlap, so the longest.
    std::vector<round_line> lines; ///< All rounds, also those after convergence.

    // From the run.
    bool planned = false; ///< A prediction (`plan`): nothing was trained.
    std::string stop_reason;
    bool converged = false;
    std::string output; ///< Path of the results file; empty: none.
};

/// Adds up rows as the paper reports them: up to and with round `convergence_round`, or all rounds when it is absent.
/// Rows may come in any order. Convergence latency is the sum of the round latencies of the slowest edge.
run_summary summarise(std::span<const round_row> rounds, std::span<const node_row> node_rows,
                      std::span<const node_description> nodes,
                      std::optional<std::uint32_t> convergence_round = std::nullopt);

/// The same of rows that belong together, whatever rounds they are of.
resource_summary resources_of(std::span<const node_row>, std::span<const event_row>, std::span<const node_description>);
/// Computation, energy, communication and memory as sections of an end table.
std::string resource_sections(const resource_summary&);

/// Accuracies of the last comparison of models on domains: a line a model, a column a domain; "" without any.
std::string domain_table(std::span<const probe_row>);

/// Round by round: round, accuracy, loss, latency, energy with and without idling; without accuracy and loss when none is known. Of more than
/// `most` rounds the middle is left out, and the table says so.
std::string rounds_table(std::span<const round_line> lines, std::size_t most = 24);

/// The smallest of `values` that is not below a part (0..1) of them (nearest rank); 0 of none.
double quantile(std::vector<double> values, double part);

/// The end table, the round-by-round table included, ready for stdout.
std::string report(const run_summary& summary);

} // namespace gaisnet
