// How good are plans? Compares the planner with all plans of random small networks: of rounds, or of requests.

#include "planning/plan_search.hpp"
#include "support/every_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace gaisnet;

struct tally {
    int instances = 0, equal = 0, close = 0, above_baseline = 0, below_bound = 0;
    double worst = 0;
    std::vector<double> gaps; ///< To the bound.
    double seconds = 0, all_seconds = 0;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Requests at a load between hardly any and more than the chains can answer.
void ask(scenario& scene, std::uint64_t seed) {
    scene.service = service_kind::inference;
    scene.infer.requests = 40;
    scene.infer.batch = seed % 2 == 0 ? 1 : 4;
    scene.infer.arrivals = seed % 5 == 0 ? arrival_kind::burst : arrival_kind::poisson;
    scene.infer.rate = seed % 3 == 0 ? 1.0 : seed % 3 == 1 ? 30.0 : 300.0;
}

void compare(std::uint64_t seed, int clients, int depth, int clusters, bool requests, tally& sums) {
    auto one = every_plan::random_instance(seed, clients, depth, clusters);
    auto& scene = one.scene;
    if (requests) {
        ask(scene, seed);
    }
    scene.plan.optimise = {.split = true, .clusters = clusters > 1, .order = true, .start = true};
    const auto method = make_tuning_method(scene);
    const auto objective = objective_of(scene);
    auto begin = std::chrono::steady_clock::now();
    const auto plan = make_plan(scene, method, one.sizes, one.data);
    sums.seconds += seconds_since(begin);
    begin = std::chrono::steady_clock::now();
    plan_judge judge(scene, method, one.sizes, one.data);
    const auto best = every_plan::best_of_all(judge, objective, clients, depth, static_cast<std::size_t>(clusters));
    sums.all_seconds += seconds_since(begin);
    const double here = value_of(plan.planned, objective, plan.given), there = value_of(best, objective, plan.given);
    const double excess = here / there - 1.0;
    ++sums.instances;
    sums.equal += excess < 1e-9 ? 1 : 0;
    sums.close += excess < 0.02 ? 1 : 0;
    sums.worst = std::max(sums.worst, excess);
    for (const auto& other : plan.compared) {
        sums.above_baseline += better(other.figures, plan.planned, objective, plan.given) ? 1 : 0;
    }
    sums.below_bound += there < plan.bound.value * (1.0 - 1e-9) ? 1 : 0;
    sums.gaps.push_back(plan.gap());
    if (excess >= 1e-9) {
        fmt::print("  seed {}: {} clients, {} blocks, {} cluster(s): {:.3f} % above the best\n", seed, clients, depth,
                   clusters, 100.0 * excess);
    }
    std::fflush(stdout);
}

} // namespace

int main(int count, char** words) {
    const int instances = count > 1 ? std::atoi(words[1]) : 40;
    const int most_clients = count > 2 ? std::atoi(words[2]) : 4;
    const int most_blocks = count > 3 ? std::atoi(words[3]) : 4;
    if (instances < 1 || most_clients < 2 || most_blocks < 2) {
        fmt::print(
            stderr,
            "usage: plan_quality [INSTANCES [CLIENTS [BLOCKS [rounds | requests [FIRST]]]]], at least 1, 2 and 2\n");
        return 2;
    }
    const bool requests = count > 4 && std::string(words[4]) == "requests";
    const int first = count > 5 ? std::atoi(words[5]) - 1 : 0;
    tally sums;
    for (int i = first; i < first + instances; ++i) {
        const auto seed = static_cast<std::uint64_t>(i + 1);
        const int clients = 2 + i % (most_clients - 1), depth = 2 + (i / 3) % (most_blocks - 1);
        compare(seed, clients, depth, clients > 3 && i % 2 == 1 ? 2 : 1, requests, sums);
    }
    std::sort(sums.gaps.begin(), sums.gaps.end());
    fmt::print(
        "{} instances of 2 to {} clients and 2 to {} blocks: {} equal to the best ({:.1f} %), {} within 2 %, worst "
        "{:.3f} % above; {} worse than a baseline, {} bounds above the best; gap to the bound median {:.0f} %, "
        "largest {:.0f} %; planner {:.2f} s, all plans {:.2f} s\n",
        sums.instances, most_clients, most_blocks, sums.equal, 100.0 * sums.equal / sums.instances, sums.close,
        100.0 * sums.worst, sums.above_baseline, sums.below_bound, 100.0 * sums.gaps[sums.gaps.size() / 2],
        100.0 * sums.gaps.back(), sums.seconds, sums.all_seconds);
    const bool good = 100 * sums.equal >= 95 * sums.instances && sums.close == sums.instances &&
                      sums.above_baseline == 0 && sums.below_bound == 0;
    return good ? 0 : 1;
}
