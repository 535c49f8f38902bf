#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// A row of /rounds, as far as watchers want it.
struct watched_round {
    std::uint64_t edge = 0, round = 0;
    double accuracy = 0, loss = 0; ///< NaN of a plan.
    double end_s = 0;              ///< Emulated time since the start of the run.
    double energy_j = 0;           ///< Of this edge's nodes in this round.
    double wall_s = 0;             ///< Real time of this round.
};

/// What a results file holds now.
struct results_snapshot {
    std::string status, stop_reason, command;
    std::string identity;              ///< What decided the results: "key = value" lines.
    std::vector<watched_round> rounds; ///< From the row that was asked for.
    std::size_t requests = 0;          ///< Rows of /inference: answered requests.
    std::size_t services = 0;          ///< Rows of /service: rounds of service.
};

/// Reads a results file, also while a run writes it. It finds columns by their names.
/// \param first_round the first row of /rounds that is wanted
/// \throws usage_error when there is no such file, or it is not one of GaisNet; runtime_failure when it cannot be read
results_snapshot read_results(const std::string& path, std::size_t first_round = 0);

/// Whether a process holds the file as its writer does. A file that says "running" and has no writer was left by a run that
/// was killed.
bool has_writer(const std::string& path);

/// The value of a key in such lines; empty where there is none.
std::string value_in(const std::string& identity, const std::string& key);

} // namespace gaisnet
