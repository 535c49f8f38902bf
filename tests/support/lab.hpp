#pragma once

// Small scenarios that run in milliseconds, for tests of the whole of HFSL without program, data sets or MPI.

#include "model/torch/torch_stage.hpp"
#include "roles/deployment.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/ledger_run.hpp"
#include "runtime/pacer.hpp"
#include "scenario/scenario.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gaisnet::lab {

/// image 16, patch 4, dim 24, 3 heads, depth 4; two clusters of three clients; every link and device has figures.
scenario small_scenario();

/// The same with a model of texts of that family: dim 24, 3 heads, depth 3, 9 tokens of 40; llama has one head of keys and
/// values, a gate and biases.
scenario text_scenario(const std::string& family);
inline const std::vector<std::string> text_families{"llama", "gpt2", "bert"};

/// Every tuning method with small sizes (prompts 3, rank 4, bottleneck 6); lora also on each layer alone and on all.
std::vector<tuning_settings> every_tuning();

/// The same, and lora on all layers that the model has, and on its gate if there is one.
std::vector<tuning_settings> every_tuning_of(const foundation_model&);

/// Random weights of the scenario's model. \param type in which its blocks compute.
std::shared_ptr<const model_backbone> random_backbone(std::shared_ptr<const foundation_model>, std::uint64_t seed = 11,
                                                      at::ScalarType type = at::kFloat);

/// Its weights by name, for methods that tune them.
weight_values weights_of(std::shared_ptr<const model_backbone>);

constexpr std::int64_t classes = 5;

/// Random samples and labels of one start point; number `first` and the following of one endless list.
class random_samples final : public sample_source {
public:
    /// \param its_classes or no_classes
    random_samples(std::shared_ptr<const foundation_model> model, std::int64_t first, std::int64_t batch,
                   std::int64_t its_classes = classes)
        : model_(std::move(model))
        , first_(first)
        , batch_(batch)
        , classes_(its_classes) {}
    tensor_view inputs(const micro_batch&) override;
    tensor_view labels(const micro_batch&) override;
    tensor_view padding(const micro_batch&) override; ///< Of texts with classes.

private:
    std::shared_ptr<const foundation_model> model_;
    std::int64_t first_, batch_, classes_;
};

/// A message that a transport carried between ranks, or a node handed to another.
struct seen_message {
    channel route;
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;
};

struct hfsl_result {
    std::vector<round_forecast> rounds;      ///< Of the ledger
    std::vector<std::vector<float>> models;  ///< By round * edges + edge
    std::vector<training_totals> totals;     ///< By round * clusters + cluster
    std::vector<double> took_s;              ///< Real time of each round, `clock = real`
    std::vector<std::vector<lateness>> late; ///< By round, `clock = real`
    std::uint64_t computations = 0;          ///< In all ranks and rounds; one for several clusters counts once ...
    std::uint64_t joint = 0;                 ///< ... and these were for several.
    std::vector<seen_message> messages;      ///< Between ranks, in no particular order over ranks
};

deployment deploy(const scenario&, std::vector<std::int64_t> samples = {});

struct lab_options {
    int ranks = 1;
    int rounds = 1;
    std::vector<std::int64_t> samples{}; ///< By cluster; empty: 12 each.
    bool same_data = false;              ///< Every cluster has the first samples of the list instead of its own.
    int restart_after = 0;               ///< Saves all state after that round and goes on from it ...
    int restart_ranks = 1;               ///< ... on that many ranks.
};

/// Runs rounds on threads that talk over a loopback world, one a rank.
hfsl_result run_hfsl(const scenario&, const lab_options& = {});

/// Three rounds give the same models on 1, 2 and 3 ranks, with both placements, and after a restart on other ranks.
hfsl_result expect_same_everywhere(scenario, const std::string& name);

/// The initial tunables of an edge's model, moved away from zeros, which hide mistakes.
tensor_view moved_model(const deployment&, std::shared_ptr<const model_backbone>, std::uint32_t edge);

/// Plays a session of inference with moved_model() on threads that talk over a loopback world, one a rank, placed as the
/// scenario says. \param collect is called on each rank after each part, on one at a time. \param first, part units of the
/// session (see part_of): the first one that is played, and how many are played together. \param make is called by each rank.
/// \param computed as of tensor_run_hooks, at all ranks.
void play_session(const deployment&, const inference_plan&, int ranks, std::shared_ptr<const model_backbone>,
                  const std::function<executor_factory()>& make,
                  const std::function<void(const inference_run&)>& collect, std::size_t first = 0,
                  std::size_t part = 1000, const std::function<void(std::size_t)>& computed = {});

/// What must add up in a round: energy, bytes, spectrum and FLOPs by event, node and round; the parts of latencies.
void expect_sums_agree(const round_forecast&, const std::string& name = {});

/// Of two models that ought to have the same size.
double largest_difference(const std::vector<float>&, const std::vector<float>&);

} // namespace gaisnet::lab
