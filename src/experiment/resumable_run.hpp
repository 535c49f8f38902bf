#pragma once

#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "experiment/session.hpp"
#include "results/recorder.hpp"
#include "rounds/checkpoint.hpp"
#include "settings/configuration.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Shared by finetune, infer and serve: the results file, which a resumed run writes again, and the checkpoints beside
/// it. A run consists of steps (rounds, batches of requests). find() tells how many are done, and the ledger plays them
/// again; publish() gives the file its name; save() is called after later steps.
class resumable_run {
public:
    /// Every rank has to make one. \param unit what a step is, for messages: "round". \param keeps false: nothing is
    /// written or looked for; there are no results(), and the calls below do nothing.
    resumable_run(const configuration&, const prepared_run&, const loaded_backbone&, session&, const char* unit,
                  bool keeps = true);

    /// Whether nothing is left to do: `resume = auto` and the run is complete, and its files exist. Every rank has to
    /// call it. \param others files that a complete run leaves beside its results file.
    bool has_ended(const std::vector<std::filesystem::path>& others);
    /// The checkpoint to resume from, as `resume` says. Every rank has to call it. \throws as find_checkpoint().
    const std::optional<checkpoint>& find();
    const std::optional<checkpoint>& from() const { return from_; }
    std::size_t steps_before() const { return from_ ? from_->step : 0; }
    /// Opens the results file, hidden until publish(); does nothing on ranks other than 0. \throws usage_error when an
    /// output belongs to another run.
    void open(run_header, recorder_options);
    /// Call when the file contains all earlier steps: gives it its name and removes checkpoints of later steps. \throws
    /// usage_error
    void publish();
    /// Writes a checkpoint, at rank 0; adds the identity and the time when the run began. \throws runtime_failure
    void save(checkpoint&&) const;
    /// The run is complete. \param converged see recorder::finish().
    void end(const std::string& reason, bool converged = false);
    /// The run stops early; the log says how to resume.
    void stop(const std::string& reason, bool converged = false);
    struct request {
        bool requeue = false, interrupted = false;
    };
    /// Whether any rank was told to stop. Every rank has to call it; only rank 0 gets the result of all ranks.
    request asked_to_stop() const;

    /// Only at rank 0, after open().
    recorder& results() { return *recorder_; }
    bool keeps() const { return keeps_; }

private:
    const prepared_run& run_;
    session& here_;
    const char* unit_;
    bool keeps_;
    std::string identity_;
    std::optional<checkpoint> from_;
    run_mark mark_;                    ///< Rank 0: owner of the results that were at the output.
    std::optional<recorder> recorder_; ///< Rank 0
};

} // namespace gaisnet
