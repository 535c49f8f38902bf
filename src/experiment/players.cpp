#include "experiment/players.hpp"

#include "model/torch/torch_stage.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace gaisnet {

stage_stacks::stage_stacks(const deployment& deploy, std::shared_ptr<const model_backbone> backbone,
                           optimizer_settings optimiser)
    : deploy_(deploy)
    , backbone_(std::move(backbone))
    , optimiser_(optimiser) {}

std::shared_ptr<stage_stack> stage_stacks::of(const stage_seat& seat) {
    const auto alone = [&] { return std::make_shared<stage_stack>(seat.spec, backbone_, optimiser_, 1); };
    const auto& own = deploy_.chains[seat.cluster][seat.position];
    if (seat.node != own.node) { // an heir's
        return alone();
    }
    const int group = deploy_.groups[static_cast<std::size_t>(seat.cluster)];
    const auto size = static_cast<std::size_t>(std::count(deploy_.groups.begin(), deploy_.groups.end(), group));
    if (size == 1) {
        return alone();
    }
    auto& stack = stacks_[{group, seat.position}];
    if (!stack) {
        // Of the first cluster's seat, which lasts as long as the deployment.
        stack = std::make_shared<stage_stack>(own.spec, backbone_, optimiser_, size);
    }
    return stack;
}

executor_factory training_executors(const prepared_run& run, std::shared_ptr<const model_backbone> backbone) {
    const auto& train = run.scene->train;
    const optimizer_settings optimiser{train.optimizer, train.momentum, train.weight_decay};
    auto sources = std::make_shared<std::map<int, std::shared_ptr<sample_source>>>();
    auto stacks = std::make_shared<stage_stacks>(*run.deploy, backbone, optimiser);
    return [&run, sources, stacks](const stage_seat& seat) {
        const auto& deploy = *run.deploy;
        std::shared_ptr<sample_source> source;
        const auto start_point = deploy.chains[static_cast<std::size_t>(seat.cluster)].front().node;
        if (seat.node == start_point) {
            auto& shared = (*sources)[seat.cluster]; // in U-shaped training the start point has two stages
            if (!shared) {
                shared = run.data->source_of(seat.cluster, deploy.net.nodes[seat.node].name);
            }
            source = shared;
        }
        auto stage = std::make_unique<torch_stage>(stacks->of(seat), std::move(source));
        if (run.scene->train.cache && seat.spec.frozen_up_to_head()) {
            stage->keep_outputs(run.data->numbers_of(seat.cluster, deploy.net.nodes[start_point].name));
        }
        return stage;
    };
}

tensor_run_hooks watchful_hooks(const prepared_run& run, session& here, const real_clock* clock,
                                std::function<int()> where) {
    tensor_run_hooks hooks;
    hooks.clock = clock ? &clock->timer() : nullptr;
    hooks.idle = session::check_interrupt;
    hooks.note = [&run, &here, where = std::move(where), text = std::string()](std::uint32_t node,
                                                                               const char* what) mutable {
        session::check_interrupt();
        if (here.ranks() > 1) { // for the others, if this one falls silent
            text.clear();
            if (where) {
                (text += "round ") += std::to_string(where()) += ": ";
            }
            text += what;
            text += " of ";
            text += run.deploy->net.nodes[node].name;
            here.note(text);
        }
    };
    return hooks;
}

std::uint64_t computations_a_round(const prepared_run& run, int rank) {
    std::uint64_t work = 0;
    const int parts = run.scene->runtime.merge_micro_batches ? 1 : run.scene->train.micro_batches;
    for (std::size_t c = 0; c < run.deploy->chains.size(); ++c) {
        if (!run.deploy->trains(static_cast<int>(c))) {
            continue;
        }
        const auto& plan = run.deploy->plans[c];
        std::uint64_t micros = 0;
        for (std::int64_t i = 0; i < plan.batches_a_round; ++i) {
            micros += split_batch(plan.batch_at(i), parts).size();
        }
        for (const auto& seat : run.deploy->chains[c]) {
            if (run.rank_of[seat.node] == rank) {
                work += micros * (seat.spec.runs_backward() ? 2 : 1) +
                        (seat.spec.trainable() ? static_cast<std::uint64_t>(plan.batches_a_round) : 0);
            }
        }
    }
    return work;
}

std::vector<tensor_view> initial_models(const prepared_run& run, const loaded_backbone& backbone) {
    std::vector<tensor_view> initial;
    for (const auto& domain : run.deploy->domains) {
        initial.push_back(initial_values(domain.tunables, run.scene->seed, backbone.weights));
    }
    return initial;
}

std::vector<batch_result> evaluate_models(const prepared_run& run, session& here, const tensor_run& tensors,
                                          std::vector<tuned_model>& models, std::span<const std::uint32_t> edges) {
    std::vector<batch_result> batches;
    for (const auto edge : edges) {
        if (tensors.in_group(edge)) {
            models[edge].load(tensors.model(edge));
            const auto& group = tensors.group_of(edge);
            const auto member = std::find(group.begin(), group.end(), here.rank()) - group.begin();
            const auto mine = run.data->evaluate(edge, models[edge], static_cast<std::size_t>(member), group.size());
            batches.insert(batches.end(), mine.begin(), mine.end());
        }
    }
    return batches;
}

} // namespace gaisnet
