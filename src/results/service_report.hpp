#pragma once

#include "results/rows.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Each policy's actions and income round by round, its final cash, and its regret: the oracle's final cash minus its
/// own. \param oracle the oracle's final cash; absent: unknown. \param comparable what the decisions earn by the
/// figures that the oracle uses; absent: the rows' cash. \param clients of requests that wait; else empty.
std::string report(std::span<const service_row>, double start_cash, std::optional<double> oracle,
                   std::optional<double> comparable = std::nullopt, std::span<const service_client_row> clients = {});

/// The same of each policy, for the results file.
std::vector<service_policy_row> regrets_of(std::span<const service_row>, double start_cash, double oracle,
                                           std::optional<double> comparable = std::nullopt);

} // namespace gaisnet
