#pragma once

#include "experiment/preparation.hpp"
#include "planning/forecast.hpp"
#include "planning/plan_report.hpp"
#include "results/inference_report.hpp"
#include "results/report.hpp"
#include "rounds/inference_ledger.hpp"
#include "settings/configuration.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// What a run would cost, at rank 0.
struct forecast_outcome {
    run_summary summary;
    forecast found;
    std::uint64_t events = 0;     ///< Of the ledger.
    double events_per_second = 0; ///< Of the ledger.
};

/// What requests would cost, at rank 0. The summary looks into what was found.
struct request_outcome {
    inference_summary summary;
    inference_forecast found;
};

/// The ledger's rounds without training: what fine-tuning would cost in time, energy, bytes and spectrum.
///
///     gaisnet::forecasting job(gaisnet::configuration::from_file("x.cfg"), ranks);
///     const auto cost = job.run();
///     use(cost.summary.latency.total_s);
///
/// With service = infer it is the session of requests that `infer` would answer:
///
///     const auto cost = gaisnet::forecasting(given.set("service", "infer"), ranks).run_requests();
///
/// Every rank makes one; rank 0 alone runs it.
class forecasting {
public:
    /// What is looked at before: what the ledger needs, or everything that fine-tuning would need as well, images and
    /// weights included.
    enum class checks { ledger, everything };
    /// \throws usage_error for what the user has to change.
    forecasting(configuration, session&, checks = checks::ledger);

    /// Plays train.rounds rounds, or fewer when no client is left. Writes a results file when `output` was given to the
    /// command line of `plan`.
    /// \throws usage_error when a node needs more memory than its device has.
    forecast_outcome run();

    /// Plays the session of requests: exactly the ledger of `infer`. Writes a results file as run() does.
    /// \throws usage_error when a node needs more memory than its device has.
    request_outcome run_requests();

    const prepared_run& prepared() const { return run_; }
    /// What run() writes of tuning methods that were tried before.
    void note_tunings(std::vector<tuning_row> rows) { tried_ = std::move(rows); }
    /// Nodes, placement, cuts, links and devices.
    std::string description() const;
    /// Writes the network beside the results file, for network.file; never in place of what somebody may have edited.
    /// \returns what was done, a line. \throws usage_error when it cannot be written.
    std::string write_network() const;
    /// Writes a plan beside the results file: the network for network.file, and a config file that uses it; never in place
    /// of what somebody may have edited. \throws usage_error when it cannot be written.
    plan_files write_plan() const;
    /// By device and link, the bottleneck, and what halving each figure does.
    std::string analysis(const forecast_outcome&) const;
    std::string analysis(const request_outcome&) const;

private:
    std::optional<recorder> results_file() const;
    void write_front(recorder&) const;

    configuration given_;
    session& here_;
    prepared_run run_;
    std::vector<tuning_row> tried_;
};

} // namespace gaisnet
