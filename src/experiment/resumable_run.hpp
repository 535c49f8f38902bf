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

/// What finetune, infer and serve have in common: a results file that a resumed run writes anew, and the checkpoints
/// beside it. A run is a number of steps (rounds, batches of requests): find() says how many are done, the ledger plays
/// them again, publish() gives the file its name, and save() is called after further ones.
class resumable_run {
public:
    /// Every rank has to make one. \param unit what steps are, for people: "round".
    resumable_run(const configuration&, const prepared_run&, const loaded_backbone&, session&, const char* unit);

    /// Whether there is nothing to go on with: `resume = auto` of a run that came to its end, and whose files are there.
    /// Every rank has to call it. \param others files that such a run has left beside its results file.
    bool has_ended(const std::vector<std::filesystem::path>& others);
    /// The checkpoint to go on from, as `resume` says. Every rank has to call it. \throws as find_checkpoint().
    const std::optional<checkpoint>& find();
    const std::optional<checkpoint>& from() const { return from_; }
    std::size_t steps_before() const { return from_ ? from_->step : 0; }
    /// The results file, hidden until publish(); nothing on other ranks than 0. \throws usage_error when an output is
    /// another run's.
    void open(run_header, recorder_options);
    /// Steps before are in the file: it gets its name, and checkpoints of later steps go. \throws usage_error
    void publish();
    /// Writes a checkpoint, at rank 0; its identity and the time when the run began are added. \throws runtime_failure
    void save(checkpoint&&) const;
    /// Nothing is left to do. \param converged see recorder::finish().
    void end(const std::string& reason, bool converged = false);
    /// The run stops before its end, and says how to go on.
    void stop(const std::string& reason, bool converged = false);
    struct request {
        bool requeue = false, interrupted = false;
    };
    /// Whether any rank was told to stop. Every rank has to call it; only rank 0 knows the others' answers.
    request asked_to_stop() const;

    /// At rank 0, after open().
    recorder& results() { return *recorder_; }

private:
    const prepared_run& run_;
    session& here_;
    const char* unit_;
    std::string identity_;
    std::optional<checkpoint> from_;
    run_mark mark_;                    ///< Rank 0: whose results were at the output.
    std::optional<recorder> recorder_; ///< Rank 0
};

} // namespace gaisnet
