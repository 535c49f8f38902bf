#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "results/report.hpp"
#include "results/rows.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// A round that has ended, on every rank.
struct finished_round {
    int number = 0;                ///< Starts at 1.
    std::vector<round_row> edges;  ///< Indexed by edge: accuracy, loss, latency and its parts, energy, bytes.
    double accuracy = 0, loss = 0; ///< Validation, averaged over the edges.
};

struct loaded_backbone;
struct prepared_run;

/// How a run lives beside others of its session.
struct fine_tuning_options {
    /// false: no results file, checkpoint or tuned modules; a request to stop interrupts; training that diverges goes on
    /// with a loss that is not finite.
    bool keeps_files = true;
    /// The frozen weights of another run of the session with the same model; null: they are loaded.
    std::shared_ptr<const loaded_backbone> backbone{};
};

/// Results of a complete run, at rank 0.
struct fine_tuning_outcome {
    run_summary summary;
    std::vector<probe_row> probes;    ///< Accuracy of the models on every domain.
    std::string advice;               ///< See advisor.
    std::vector<std::string> modules; ///< Files of tuned modules, indexed by edge.
};

/// Hybrid federated split fine-tuning over emulated links and devices: the rounds of a scenario.
///
///     gaisnet::session ranks(argc, argv);
///     gaisnet::fine_tuning run(gaisnet::configuration::from_file("x.cfg").set("train.rounds", "5"), ranks);
///     while (const auto round = run.next()) {
///         use(round->accuracy, round->edges.front().parts["d2d"]);
///     }
///
/// Every rank makes one and makes the same calls. It writes the results file, the checkpoints and, at the end, the
/// tuned modules, as configured.
class fine_tuning {
public:
    /// \throws usage_error for what the user has to change; does_not_fit, on every rank.
    fine_tuning(configuration, session&, fine_tuning_options = {});
    ~fine_tuning();
    fine_tuning(const fine_tuning&) = delete;
    fine_tuning& operator=(const fine_tuning&) = delete;

    /// Plays the next round; returns nothing when the run has ended. A resumed run starts with the first round that is
    /// not in the checkpoint. \throws usage_error, runtime_failure; error with exit_code::fidelity when real time was
    /// not kept; does_not_fit, on every rank, before the first round.
    std::optional<finished_round> next();
    run_ending ending() const;
    /// After a complete run, at rank 0.
    const fine_tuning_outcome& outcome() const;
    /// At rank 0: sums of the rounds so far.
    run_summary so_far() const;
    const prepared_run& prepared() const;
    /// After the first round.
    std::shared_ptr<const loaded_backbone> backbone() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
