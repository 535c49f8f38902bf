#include "experiment/replanning.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "network/clustering.hpp"
#include "planning/plan_search.hpp"
#include "transport/collectives.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace gaisnet {

namespace {

/// The clusters without clients that are off; a chain that loses one is cut anew.
formed_clusters without(formed_clusters formed, const population& all, const std::set<std::string>& off) {
    for (std::size_t edge = 0; edge < formed.size(); ++edge) {
        const auto is_off = [&](std::size_t client) { return off.contains(all.clients[edge][client].name); };
        for (auto& group : formed[edge]) {
            if (std::any_of(group.clients.begin(), group.clients.end(), is_off)) {
                std::erase_if(group.clients, is_off);
                group.blocks.clear();
            }
        }
        std::erase_if(formed[edge], [](const formed_cluster& group) { return group.clients.empty(); });
    }
    return formed;
}

} // namespace

replanning::replanning(prepared_run& run, session& here): run_(run), here_(here) { held_.add(*run.deploy); }

bool replanning::due(int round) const {
    const int period = run_.scene->plan.period;
    return period > 0 && round > 1 && (round - 1) % period == 0;
}

/// At rank 0: the search, and whether its plan pays.
std::optional<formed_clusters> replanning::better_ones(int round, const ledger_state& now) const {
    auto scene = *run_.scene;
    const auto& net = run_.deploy->net;
    network_state state;
    state.time_s = *std::max_element(now.clocks_s.begin(), now.clocks_s.end());
    for (std::uint32_t node = 0; node < net.nodes.size(); ++node) {
        if (net.nodes[node].role == node_role::client && now.battery_j[node] <= 0.0) {
            state.off.insert(net.nodes[node].name);
        }
    }
    const auto everybody = make_population(scene, override_index(scene.network.overrides));
    const auto current = scene.cluster.formed;
    scene.cluster.formed = without(current, everybody, state.off);
    const auto sizes = run_.data->sizes();
    const auto data = data_of_clients(scene, *run_.data);
    const auto empty = [](const auto& clusters) { return clusters.empty(); };
    if (std::any_of(scene.cluster.formed.begin(), scene.cluster.formed.end(), empty)) {
        scene.cluster.formed = current;
    }
    if (!wants_plan(scene)) { // a rule that looks at where clients are
        scene.cluster.formed.clear();
        auto formed = form_clusters(scene, everybody, state);
        return formed == current ? std::nullopt : std::optional(std::move(formed));
    }
    scene.plan.optimise.schedule = scene.plan.optimise.micro_batches = scene.plan.optimise.tuning = false;
    chosen_plan plan;
    try {
        plan = make_plan(scene, run_.deploy->method, sizes, data, state);
    } catch (const usage_error& problem) {
        spdlog::warn("round {}: clusters stay, since {}", round, problem.what());
        return std::nullopt;
    }
    if (plan.formed == current) {
        return std::nullopt;
    }
    plan_judge judge(scene, run_.deploy->method, sizes, data, state);
    const int rounds = std::min(scene.plan.period, scene.train.rounds - round + 1);
    const auto stay = judge.figures(current);
    const auto go = judge.figures(plan.formed);
    const auto first = judge.figures(plan.formed, [&](deployment& made) { held_.tell(made); });
    const auto in_all = over_rounds(first, go, rounds);
    if (!better(in_all, over_rounds(stay, stay, rounds), plan.objective, plan.given)) {
        spdlog::info("round {}: clusters stay; another plan would take {} instead of {} a round, and {} for the first",
                     round, quantity(go.latency_s, "s"), quantity(stay.latency_s, "s"), quantity(first.latency_s, "s"));
        return std::nullopt;
    }
    spdlog::info("round {}: planned again for {} in {:.2f} s: latency {} instead of {}{}, {} in the first round", round,
                 plan.objective.text, plan.seconds, quantity(go.latency_s, "s"), quantity(stay.latency_s, "s"),
                 stay.obstacle.empty() ? "" : " (" + stay.obstacle + ")", quantity(first.latency_s, "s"));
    return plan.formed;
}

deployment replanning::make(const formed_clusters& formed, int round, double at_s) const {
    const auto& scene = *run_.scene;
    const auto& before = *run_.deploy;
    auto net =
        make_topology(scene, make_population(scene, override_index(scene.network.overrides)), formed,
                      hops_with_gradients(before.model, before.method), {.numbered_as = &before.net, .at_s = at_s});
    auto made = make_deployment(scene, std::move(net), before.model, before.method, run_.data->sizes(),
                                run_.data->shares().samples());
    made.first_round = round;
    held_.tell(made);
    return made;
}

std::optional<deployment> replanning::next(int round, const ledger_state* now,
                                           const std::vector<cluster_change>& known) {
    cluster_change change{static_cast<std::uint32_t>(round), 0.0, {}};
    if (here_.root()) {
        const auto found = std::find_if(known.begin(), known.end(), [&](const cluster_change& one) {
            return one.round == static_cast<std::uint32_t>(round);
        });
        const bool is_known = !known.empty() && round <= static_cast<int>(known.back().round);
        if (found != known.end()) {
            change = *found;
        } else if (!is_known) {
            here_.note("planning again");
            change.at_s = *std::max_element(now->clocks_s.begin(), now->clocks_s.end());
            if (auto formed = better_ones(round, *now)) {
                change.clusters = std::move(*formed);
            }
        }
    }
    change = share_from_root(here_.network(), change);
    changes_.push_back(change);
    if (change.clusters.empty()) {
        return std::nullopt;
    }
    run_.use_clusters(change.clusters);
    auto made = make(change.clusters, round, change.at_s);
    held_.add(made);
    return made;
}

} // namespace gaisnet
