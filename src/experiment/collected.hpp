#pragma once

#include "results/rows.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/tensor_run.hpp"
#include "scenario/scenario.hpp"
#include "transport/transport.hpp"

#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// Result of one evaluation batch: predictions are one a sample, or one a token.
struct batch_result {
    std::uint32_t edge = 0;
    std::uint32_t batch = 0;
    std::int64_t correct = 0, predictions = 0;
    double loss_sum = 0;    ///< Nats.
    std::int64_t bytes = 0; ///< Of text that the tokens stand for.
};

/// Sends the training totals of all clusters and the results of all evaluation batches to rank 0 and adds them up in
/// the order of clusters and batches, so that the sums do not depend on the ranks. Every rank has to call it. \returns
/// by edge; empty on other ranks.
std::vector<round_result> collect_results(transport&, const deployment&, const std::map<int, training_totals>&,
                                          const std::vector<batch_result>&);

/// Collects the optimiser state of all stages at rank 0; empty elsewhere. Every rank has to call it.
std::map<std::string, executor_state> collect_stages(transport&, std::vector<saved_stage>);

/// Collects the answers of the last session at rank 0. Every rank has to call it.
session_answers collect_answers(transport&, const inference_run&);

/// Collects the domain models of all edges at rank 0. Every rank has to call it.
std::vector<tensor_view> collect_models(transport&, const tensor_run&, int edges);

/// Traffic of every transport since the start, summed over all ranks, at rank 0.
std::vector<transport_counters> collect_counters(transport&);

/// Peak resident memory of each rank's process so far, in bytes, indexed by rank; at rank 0, empty elsewhere. Shared
/// pages, such as frozen weights, count on every rank.
std::vector<std::uint64_t> collect_peak_memory(transport&);
/// "1.2 GB in all, 300 MB the largest"
std::string peak_memory_text(const std::vector<std::uint64_t>& of_ranks);

} // namespace gaisnet
