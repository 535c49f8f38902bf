#pragma once

#include "experiment/session.hpp"
#include "experiment/workload.hpp"
#include "model/vit/vit.hpp"
#include "results/recorder.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"
#include "rounds/checkpoint.hpp"
#include "scenario/scenario.hpp"
#include "settings/configuration.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// What finetune and plan have in common: scenario, data, deployment and placement.
struct prepared_run {
    std::unique_ptr<const scenario> scene; ///< Its address is known to the deployment.
    std::unique_ptr<workload> data;
    std::unique_ptr<deployment> deploy;
    std::vector<int> rank_of;
    int ranks = 1; ///< As many as were started; in a dry run as many as the job will have.
};

/// Every rank has to call it. \throws usage_error for what the user has to change.
prepared_run prepare(const configuration&, session&, bool check_images);

/// What each start point trains on, for the results file.
std::vector<samples_description> describe_samples(const prepared_run&);

/// "0.5,0.5,0.5": mean or std as `pretrain` writes them into the weights.
std::string numbers_text(const std::vector<double>&);

/// By the ledger's figures of a round. \throws usage_error when a node needs more memory than its device has, with the
/// numbers of the worst.
void check_memory(const deployment&, std::span<const node_row>);

/// Where --dry-run writes the network: beside the results file.
std::filesystem::path network_path(const scenario&);

/// Where the tuned modules of an edge go: beside the results file.
std::filesystem::path modules_path(const scenario&, int edge);
/// Where the answers of `infer` go: beside the results file.
std::filesystem::path predictions_path(const scenario&);
/// \throws usage_error when a file that the command writes is one that it reads (config files and images too), or when
/// the predictions of `infer` would replace a file without overwrite.
void check_outputs(const configuration&, const scenario&);
/// \throws usage_error when the tuned modules would replace the weights that they are trained on, or, unless the run is
/// told to overwrite or to resume, any other file.
void check_modules_path(const scenario&);

/// The checkpoint to go on from, as `resume` says. Every rank has to call it, and reads it; when it returns at rank 0 all
/// have. \param unit of what it counts, for the log: "round".
/// \throws usage_error when it belongs to another identity, or is damaged; then another one is offered. \throws
/// runtime_failure when ranks found different ones.
std::optional<checkpoint> find_checkpoint(const scenario&, const std::string& identity, session&, const char* unit);

/// The plan of devices as rows of the results file.
std::vector<rank_description> describe_ranks(const device_plan&);

/// Names and versions of the libraries in use.
std::map<std::string, std::string> library_versions(const session&);

/// What the results file of a run says about it; the clock is virtual.
run_header header_of(const configuration&, const scenario&, const session&);

/// One line a node and rank, cuts and links: what --dry-run prints before the forecast.
std::string describe(const prepared_run&);

} // namespace gaisnet
