#pragma once

#include "results/rows.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// What an oracle would have earned.
struct oracle_cash {
    double cash = 0;   ///< At the end.
    bool exact = true; ///< Nothing brings more; else something may.
    /// What the services that were done are worth by the figures that the oracle uses; absent: the rows' cash.
    std::optional<double> decisions;
};

/// Each policy's actions and income round by round, its final cash, and its regret: the oracle's final cash minus its
/// own. \param oracle absent: unknown. \param clients of requests that wait; else empty.
std::string report(std::span<const service_row>, double start_cash, const std::optional<oracle_cash>& oracle,
                   std::span<const service_client_row> clients = {});

/// The first services of each edge: what they would take.
std::string report_forecast(std::span<const service_row>);

/// Each policy's final cash and regret, for the results file.
std::vector<service_policy_row> regrets_of(std::span<const service_row>, double start_cash, const oracle_cash&);

} // namespace gaisnet
