// The yardstick of jobs/bench.sh: what a plain LibTorch loop in one process needs for the samples of a scenario, on the
// unsplit model, without clients, messages, averages or a ledger. Takes the settings of `gaisnet finetune`, and uses its
// loader, optimiser and evaluation. Prints one line a round: round, wall time (s), samples, accuracy, loss.

#include "base/error.hpp"
#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/preparation.hpp"
#include "model/torch/optimizer.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "settings/options.hpp"
#include "settings/sources.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

using namespace gaisnet;

void train(const prepared_run& run, at::Device device, tuned_model& model, optimizer& steps, sample_source& source,
           int cluster, int round) {
    const auto& deploy = *run.deploy;
    const auto& plan = deploy.plans[static_cast<std::size_t>(cluster)];
    for (std::int64_t i = 0; i < plan.batches_a_round; ++i) {
        const auto index = (round - 1) * plan.batches_a_round + i;
        const auto batch = plan.batch_at(index);
        const auto padding =
            run.data->words() && !model.tells_tokens() ? to_torch(source.padding(batch)) : at::Tensor();
        const auto logits = model.forward({on_device(source.inputs(batch), device), padding}).flatten(0, -2);
        const auto loss = at::cross_entropy_loss(logits, on_device(source.labels(batch), logits.device()).flatten());
        run_backward(loss, {});
        steps.step(model.parameters(), deploy.learning_rate(cluster, index));
    }
}

void run_loop(const command_line& given, session& here) {
    using clock = std::chrono::steady_clock;
    const auto run = prepare(given, here, true);
    const auto& scene = *run.scene;
    if (here.ranks() != 1 || scene.network.edges != 1) {
        throw usage_error("the loop runs in one process, for one edge");
    }
    const auto loaded = load_backbone(scene, here);
    if (here.gpu()) {
        run.data->use_gpu(*here.gpu());
        warm_up(*run.deploy, loaded.backbone);
    }
    tuned_model model(loaded.backbone, run.deploy->method, run.deploy->domain_of(0).size.classes);
    model.load(initial_values(run.deploy->domain_of(0).tunables, scene.seed, loaded.weights));
    optimizer steps({scene.train.optimizer, scene.train.momentum, scene.train.weight_decay});
    std::vector<std::shared_ptr<sample_source>> sources;
    for (std::size_t c = 0; c < run.deploy->chains.size(); ++c) {
        const auto start_point = run.deploy->chains[c].front().node;
        sources.push_back(run.data->source_of(static_cast<int>(c), run.deploy->net.nodes[start_point].name));
    }
    for (int round = 1; round <= scene.train.rounds; ++round) {
        const auto start = clock::now();
        std::int64_t samples = 0;
        for (std::size_t c = 0; c < sources.size(); ++c) {
            train(run, loaded.backbone->device(), model, steps, *sources[c], static_cast<int>(c), round);
            samples += run.deploy->plans[c].samples_in_round(round);
        }
        std::int64_t correct = 0, evaluated = 0;
        double loss = 0.0;
        for (const auto& batch : run.data->evaluate(0, model, 0, 1)) {
            correct += batch.correct;
            evaluated += batch.predictions;
            loss += batch.loss_sum;
        }
        const std::chrono::duration<double> wall = clock::now() - start;
        const auto count = static_cast<double>(evaluated);
        fmt::print("{} {:.4f} {} {:.4f} {:.4f}\n", round, wall.count(), samples + evaluated,
                   static_cast<double>(correct) / count, loss / count);
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        spdlog::set_default_logger(spdlog::stderr_color_mt("monolithic"));
        session here(argc, argv);
        std::vector<std::string> arguments{"finetune"};
        arguments.insert(arguments.end(), argv + 1, argv + argc);
        with_clear_errors([&] { run_loop(parse_command_line(arguments, process_environment()), here); });
        return 0;
    } catch (const error& problem) {
        fmt::print(stderr, "monolithic: error: {}\n", problem.what());
        return static_cast<int>(problem.code());
    }
}
