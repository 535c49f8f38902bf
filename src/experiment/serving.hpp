#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "results/rows.hpp"
#include "results/service_report.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Results of rounds of service, at rank 0.
struct service_outcome {
    std::vector<service_row> rounds;
    double cash = 0;                         ///< At the start.
    std::optional<oracle_cash> oracle;       ///< Without serve.regret absent.
    std::vector<service_client_row> clients; ///< By cluster; empty when requests do not wait.
};

/// Rounds of service: in each round one edge's model is fine-tuned, or requests of a client are answered. Every rank makes
/// one and makes the same calls. It writes the results file and checkpoints, as configured.
class serving {
public:
    /// \throws usage_error for what the user has to change.
    serving(configuration, session&);
    ~serving();
    serving(const serving&) = delete;
    serving& operator=(const serving&) = delete;

    /// The first services of each edge, at rank 0: what they cost. Computes and writes nothing. \throws usage_error for
    /// what the user has to change.
    std::vector<service_row> forecast();
    run_ending run();
    /// After a complete run, at rank 0.
    const service_outcome& outcome() const;
    /// Nodes, placement and cuts, as text.
    std::string description() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

/// Plays policies on given profits and costs (serve.mode = table), at rank 0. Writes the results file unless it is a
/// dry run.
service_outcome play_table(const configuration&, session&);

} // namespace gaisnet
