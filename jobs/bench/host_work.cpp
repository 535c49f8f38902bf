// What the emulation itself costs the host: rounds of fine-tuning over stages that compute nothing, on one rank. Takes the
// settings of `gaisnet finetune`; prints the time of the tensor pass a cluster and step (batch), with clusters one by one
// and in groups (runtime.fuse).

#include "base/stopwatch.hpp"
#include "model/shape_stage.hpp"
#include "network/clustering.hpp"
#include "roles/fusion.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/tensor_run.hpp"
#include "scenario/scenario.hpp"
#include "settings/options.hpp"
#include "settings/sources.hpp"
#include "transport/loopback.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <numeric>
#include <vector>

namespace {

using namespace gaisnet;

class idle_stage final : public stage_executor {
public:
    idle_stage(const deployment& deploy, const stage_seat& seat)
        : shapes_(seat.spec)
        , modules_(tensor_view::allocate({seat.spec.tunable_elements()}))
        , peers_(&deploy.chains[deploy.groups[static_cast<std::size_t>(seat.cluster)]][seat.position]) {
        std::fill_n(modules_.as<float>(), modules_.elements(), 0.0F);
    }
    void load(const tensor_view&) override {}
    tensor_view unload() override { return modules_; }
    tensor_view labels(const micro_batch& micro) override { return shapes_.labels(micro); }
    tensor_view padding(const micro_batch& micro) override { return shapes_.padding(micro); }
    tensor_view run(const stage_request& request) override { return shapes_.run(request); }
    const void* peers() const override { return peers_; }

private:
    shape_stage shapes_;
    tensor_view modules_;
    const stage_seat* peers_;
};

void measure(const scenario& scene) {
    constexpr std::int64_t samples = 20;
    const std::vector<domain_size> sizes(static_cast<std::size_t>(scene.network.edges), {10, 100});
    const auto clusters = static_cast<std::size_t>(first_cluster_of(scene, scene.network.edges));
    const auto deploy =
        make_deployment(scene, make_tuning_method(scene), sizes, std::vector<std::int64_t>(clusters, samples));
    ledger_run ledger(deploy);
    auto world = loopback_world(1);
    std::vector<tensor_view> initial;
    for (const auto& domain : deploy.domains) {
        initial.push_back(initial_values(domain.tunables, 1, {}));
    }
    tensor_run run(
        deploy, *world.front(), std::vector<int>(deploy.net.nodes.size(), 0),
        [&](const stage_seat& seat) { return std::make_unique<idle_stage>(deploy, seat); }, initial);
    const auto steps =
        std::accumulate(deploy.plans.begin(), deploy.plans.end(), std::int64_t{0},
                        [](std::int64_t sum, const cluster_plan& plan) { return sum + plan.batches_a_round; });
    for (int round = 1; round <= 3; ++round) {
        const auto decisions = ledger.play(round).decisions;
        const stopwatch watch;
        run.play(round, decisions);
        const double took_s = watch.seconds();
        if (round > 1) { // the first one makes everything
            fmt::print("fuse {:>4}, round {}: {:.2f} us a cluster-step, {} of them\n", scene.runtime.fuse.clusters,
                       round, 1e6 * took_s / static_cast<double>(steps), steps);
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        std::vector<std::string> words{"finetune"};
        words.insert(words.end(), argv + 1, argv + argc);
        const auto given = parse_command_line(words, process_environment());
        auto scene = read_scenario(given.values);
        scene.cluster.formed = form_clusters(scene);
        for (const int together : {1, 16}) {
            scene.runtime.fuse = {false, together};
            measure(scene);
        }
    } catch (const std::exception& problem) {
        fmt::print(stderr, "host_work: {}\n", problem.what());
        return 2;
    }
    return 0;
}
