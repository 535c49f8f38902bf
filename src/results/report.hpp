#pragma once

#include "base/text.hpp"
#include "results/rows.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

constexpr int node_roles = 3; ///< Size of arrays that are indexed by node_role.

/// Latency and its parts along the critical path, s.
struct latency_summary {
    double total_s = 0;
    latency_parts parts;
};

/// The largest peaks among the nodes of a role, and the nodes that had them.
struct memory_peak {
    int nodes = 0; ///< Number of nodes with this role.
    std::uint64_t temporary_bytes = 0, total_bytes = 0;
    std::uint64_t with_backbone_bytes = 0; ///< total_bytes of a node that also holds all frozen weights.
    std::string temporary_node, total_node;
};

/// One line of the round-by-round table, over all edges.
struct round_line {
    std::uint32_t round = 0;
    double accuracy = 0, loss = 0; ///< Averaged over the edges; NaN without an evaluation.
    double bits_per_byte = 0;      ///< Averaged over the edges; NaN for classes.
    double latency_s = 0;          ///< Of the slowest edge.
    energy_parts energy = {};      ///< Sum over the edges.
    bool of_tokens() const { return !std::isnan(bits_per_byte); }
    double perplexity() const { return std::exp(loss); } ///< With several edges their geometric mean.
};

/// Total resources, independent of their purpose.
struct resource_summary : work_totals {
    std::array<energy_parts, node_roles> energy{}; ///< Indexed by node_role.
    std::array<memory_peak, node_roles> memory{};

    energy_parts energy_of_all() const {
        energy_parts sum;
        for (const auto& one : energy) {
            sum += one;
        }
        return sum;
    }
};

/// How a run was carried out: its clock, how well that was kept, its wall time and its file.
struct run_figures {
    std::string clock; ///< "virtual" or "real"
    double time_scale = 1.0;
    std::vector<double> lateness; ///< Lateness of each message with the real clock, s.
    bool planned = false;         ///< A forecast: nothing was computed with values.
    double wall_s = 0;            ///< Of the counted rounds; the rounds of edges overlap, so the longest counts.
    std::string output;           ///< Path of the results file; empty: none.
};
/// The section "Run" of an end table.
std::string run_section(const run_figures&);

/// The contents of the end table. summarise() fills everything that rows determine; the caller fills the rest.
struct run_summary : run_figures, resource_summary {
    // From the rows, up to and including the round of convergence.
    double accuracy = std::numeric_limits<double>::quiet_NaN(); ///< After the last counted round, mean over the edges.
    double loss = std::numeric_limits<double>::quiet_NaN();
    double bits_per_byte = std::numeric_limits<double>::quiet_NaN(); ///< NaN for classes.
    std::uint32_t rounds = 0;                                        ///< Number of counted rounds.
    std::uint64_t samples = 0;                                       ///< Trained on; each epoch counts.
    std::uint64_t clusters_done = 0, clusters_cut = 0, clusters_lost = 0,
                  clusters_repaired = 0; ///< Sum over rounds and edges.
    latency_summary latency;             ///< Of the edge with the largest total.
    std::vector<round_line> lines;       ///< All rounds, including those after convergence.

    // From the run.
    std::string stop_reason;
    bool converged = false;
};

/// Sums rows as papers report them: up to and including round `convergence_round`, or all rounds when it is absent.
/// Rows may come in any order. The convergence latency is the sum of the slowest edge's round latencies.
run_summary summarise(std::span<const round_row> rounds, std::span<const node_row> node_rows,
                      std::span<const node_description> nodes,
                      std::optional<std::uint32_t> convergence_round = std::nullopt);

/// Sums the resources of all given rows, whatever their rounds.
resource_summary resources_of(std::span<const node_row>, std::span<const event_row>, std::span<const node_description>);
/// Computation, energy, communication and memory as sections of an end table.
std::string resource_sections(const resource_summary&);

/// Accuracies, or perplexities, of the last comparison of models on domains: one line per model, one column per domain; ""
/// without any.
std::string domain_table(std::span<const probe_row>);

/// The round-by-round table: accuracy, loss (of next tokens: perplexity), latency, energy with and without idling. The columns of accuracy and loss
/// are omitted when there is none. With more than `most` rounds the middle is omitted, and the table says so.
std::string rounds_table(std::span<const round_line> lines, std::size_t most = 24);

/// The smallest of `values` that is not below the fraction `part` (0..1) of them (nearest rank); 0 without values.
double quantile(std::vector<double> values, double part);

/// The end table, with the round-by-round table, ready for stdout.
std::string report(const run_summary& summary);

} // namespace gaisnet
