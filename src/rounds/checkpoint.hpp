#pragma once

#include "base/error.hpp"
#include "model/stage_executor.hpp"
#include "results/rows.hpp"
#include "scenario/network.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace gaisnet {

/// Results of training and evaluation of one edge in one round.
struct round_result {
    double accuracy = 0, loss = 0;             ///< Validation
    double train_accuracy = 0, train_loss = 0; ///< For the round's training samples.
    double wall_s = 0;
    double bits_per_byte = 0; ///< Validation; NaN for classes.
};

/// The answer to a request: class and softmax probability, or the tokens of a text.
struct answer {
    std::uint64_t predicted = 0;
    double probability = 0;
    std::vector<std::int64_t> tokens{};
    static auto parts(auto& self) { return std::tie(self.predicted, self.probability, self.tokens); }
};
/// Answers of a session of inference, by cluster, in order of arrival.
using session_answers = std::map<int, std::vector<answer>>;

/// What was decided about clusters before a round (plan.period).
struct cluster_change {
    std::uint32_t round = 0;
    double at_s = 0;            ///< Virtual time.
    formed_clusters clusters{}; ///< Empty: those before stayed.
    static auto parts(auto& self) { return std::tie(self.round, self.at_s, self.clusters); }
};

/// Everything that a run needs to resume after a step (a round, an epoch, a part of the requests), on any number of
/// ranks, and to write its results file again: past results and the current state of the tensors. The ledger is not
/// included: it is deterministic, so past steps are played again.
struct checkpoint {
    std::string identity;                          ///< Must equal that of the resuming scenario.
    std::string created;                           ///< Start time of the run, UTC.
    std::size_t step = 0;                          ///< Number of completed steps.
    std::vector<std::vector<round_result>> rounds; ///< Results of training and evaluation, in order, by edge.
    std::vector<session_answers> sessions;         ///< Results of inference, in order.
    std::vector<transport_row> transports;         ///< Other rows of the results file that are not the ledger's.
    std::vector<probe_row> probes;                 ///< Likewise.
    std::vector<fidelity_row> fidelity;            ///< Likewise.
    std::vector<tensor_view> models;               ///< Domain model of each edge, float32 [elements].
    std::map<std::string, executor_state> stages;  ///< Optimiser state by stage.
    std::vector<cluster_change> changes;           ///< In order.
    std::string speeds;                            ///< Measured speeds for `compute = measured`, as JSON; empty: none.
    std::uint64_t content = 0;                     ///< Only when read: a hash of the whole checkpoint.
};

/// The name of a file that a run writes beside its results file: the output's name without ".h5", plus a suffix.
std::filesystem::path beside_output(const std::filesystem::path& output, const std::string& suffix);

/// The folder of a run's checkpoints: beside the output, with the suffix ".ckpt".
std::filesystem::path checkpoint_folder(const std::filesystem::path& output);

/// Writes FOLDER/round_NNNNNN, where N counts steps. A checkpoint is valid only with its DONE marker, which is written
/// last and contains a hash of each file. Keeps the newest `keep` and removes older ones. \throws runtime_failure
/// naming the file and the reason; usage_error when a written file cannot be read.
void write_checkpoint(const std::filesystem::path& folder, const checkpoint&, int keep);

/// Removes checkpoints after `step`: those of a run that was stopped later than the point where this one resumes or,
/// with 0, those of a previous run.
void remove_checkpoints_after(const std::filesystem::path& folder, std::size_t step);

/// The owner of checkpoints and results: FOLDER/run.json. It is written before the results file gets its name and again
/// when the run is complete, so that nobody needs to read results that may be torn.
struct run_mark {
    std::string identity; ///< Empty: there is no mark, or it cannot be read.
    bool ended = false;
};
/// \throws runtime_failure when the mark cannot be written.
void mark_run(const std::filesystem::path& folder, const run_mark&);
run_mark marked_run(const std::filesystem::path& folder);

/// A checkpoint of another version of this program; it is not damaged.
struct other_version : usage_error {
    using usage_error::usage_error;
};

/// The valid checkpoints in a folder, oldest first.
std::vector<std::filesystem::path> complete_checkpoints(const std::filesystem::path& folder);

/// The newest valid checkpoint in a folder, if there is one.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& folder);

/// \throws usage_error when it is not a checkpoint, is incomplete or has changed; other_version.
checkpoint read_checkpoint(const std::filesystem::path& directory);

} // namespace gaisnet
