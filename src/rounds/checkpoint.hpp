#pragma once

#include "base/error.hpp"
#include "model/stage_executor.hpp"
#include "results/rows.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// What training and evaluation gave in one round of one edge.
struct round_result {
    double accuracy = 0, loss = 0;             ///< Validation
    double train_accuracy = 0, train_loss = 0; ///< Of the round's training samples
    double wall_s = 0;
};

/// An answer to a request: the class, and its probability (softmax).
struct answer {
    std::uint64_t predicted = 0;
    double probability = 0;
};
/// Of a session of inference, by cluster, in the order of arrival.
using session_answers = std::map<int, std::vector<answer>>;

/// Everything a run needs to go on after a step (a round, an epoch, a part of the requests), on any number of ranks, and
/// to write its results file anew: what tensors gave, and what they are now. The ledger is not in it: it is
/// deterministic, so the steps before are played again.
struct checkpoint {
    std::string identity;                          ///< What decides the results; must be the resuming scenario's.
    std::string created;                           ///< When the run began, UTC.
    std::size_t step = 0;                          ///< Steps done.
    std::vector<std::vector<round_result>> rounds; ///< What training and evaluation gave, one after another, by edge.
    std::vector<session_answers> sessions;         ///< What inference gave, one after another.
    std::vector<transport_row> transports;         ///< What else the results file has of them that is not the ledger's.
    std::vector<probe_row> probes;                 ///< Likewise
    std::vector<fidelity_row> fidelity;            ///< Likewise
    std::vector<tensor_view> models;               ///< Domain model by edge, float32 [elements].
    std::map<std::string, executor_state> stages;  ///< Optimiser state by stage.
    std::string speeds;                            ///< What `compute = measured` found, as JSON; empty: nothing.
    std::uint64_t content = 0;                     ///< One that was read: a hash, which differs if anything does.
};

/// What a run leaves beside its results file: the file's name without ".h5", with a suffix.
std::filesystem::path beside_output(const std::filesystem::path& output, const std::string& suffix);

/// The folder of a run's checkpoints: beside the output, with the suffix ".ckpt".
std::filesystem::path checkpoint_folder(const std::filesystem::path& output);

/// Writes FOLDER/round_NNNNNN, where N counts steps. It counts only with its DONE marker, which is written last and holds a hash of each file;
/// older ones beyond `keep` are removed. \throws runtime_failure naming the file and the reason, usage_error when what
/// was written cannot be read.
void write_checkpoint(const std::filesystem::path& folder, const checkpoint&, int keep);

/// Removes checkpoints after `step`: those of a run that was stopped later than where another now goes on, or, with 0,
/// of one that begins anew.
void remove_checkpoints_after(const std::filesystem::path& folder, std::size_t step);

/// Whose checkpoints and results these are: FOLDER/run.json, which is written before the results file gets its name, and
/// again when the run has come to its end. So nobody needs to read results that may be torn.
struct run_mark {
    std::string identity; ///< Empty: there is none, or it cannot be read.
    bool ended = false;
};
/// \throws runtime_failure when that is not possible.
void mark_run(const std::filesystem::path& folder, const run_mark&);
run_mark marked_run(const std::filesystem::path& folder);

/// A checkpoint of another version of this program: there is nothing wrong with it.
struct other_version : usage_error {
    using usage_error::usage_error;
};

/// Those with a marker in a folder of checkpoints, the oldest first.
std::vector<std::filesystem::path> complete_checkpoints(const std::filesystem::path& folder);

/// The newest complete checkpoint in a folder of checkpoints, if there is one.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& folder);

/// \throws usage_error when it is none, is not complete, or is not as it was written; other_version.
checkpoint read_checkpoint(const std::filesystem::path& directory);

} // namespace gaisnet
