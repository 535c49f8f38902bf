#pragma once

#include "experiment/session.hpp"
#include "experiment/workload.hpp"
#include "model/family.hpp"
#include "planning/plan_front.hpp"
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

/// What all commands with a deployment need: scenario, data, deployment and placement.
struct prepared_run {
    std::unique_ptr<scenario> scene; ///< On the heap, because the deployment keeps its address.
    std::unique_ptr<workload> data;
    std::unique_ptr<deployment> deploy;
    std::optional<plan_front> front; ///< At rank 0, with the key pareto.
    std::optional<chosen_plan> plan; ///< At rank 0, of a scenario that leaves something to a planner.
    std::vector<int> rank_of;
    int ranks = 1; ///< The ranks that were started; in a dry run those that the job will have.

    /// The data of a run whose clusters are others from now on; `deploy` and `rank_of` are the caller's.
    void use_clusters(const formed_clusters&);
};

/// Every rank has to call it. \throws usage_error for everything that the user has to change; does_not_fit, on every rank,
/// when there is no plan that fits.
prepared_run prepare(const configuration&, session&, bool check_images);

/// What a plan needs to know of the data.
client_data data_of_clients(const scenario&, const workload&);

/// The training samples of each start point, for the results file.
std::vector<samples_description> describe_samples(const prepared_run&);

/// "0.5,0.5,0.5": mean or standard deviation, as `pretrain` stores them with the weights.
std::string numbers_text(const std::vector<double>&);

/// Checks memory with the ledger's figures for a round. \throws does_not_fit when a node needs more memory than its
/// device has; the message names the worst node and its numbers.
void check_memory(const deployment&, std::span<const node_row>);

/// The device plan as rows of the results file.
std::vector<rank_description> describe_ranks(const device_plan&);

/// Names and versions of the libraries in use.
std::map<std::string, std::string> library_versions(const session&);

/// The results file's header for a run with the virtual clock.
run_header header_of(const configuration&, const scenario&, const session&);

/// One line per node and rank, cuts and links: what --dry-run prints before the forecast.
std::string describe(const prepared_run&);

} // namespace gaisnet
