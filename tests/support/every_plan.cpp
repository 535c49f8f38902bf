#include "support/every_plan.hpp"

#include "base/random.hpp"
#include "support/vits.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace gaisnet::every_plan {

instance random_instance(std::uint64_t seed, int clients, int depth, int clusters) {
    instance out;
    auto& scene = out.scene;
    random_stream stream(seed, "instance", "plan");
    const auto spread = [&](double least, double most) {
        return std::exp(stream.uniform(std::log(least), std::log(most)));
    };
    scene.seed = seed;
    scene.model = vit_sizes(16, 4, 24, depth, 3);
    scene.tuning.prompts = 3;
    scene.train.batch = 4;
    scene.train.epochs = 1;
    scene.train.steps = 2;
    scene.train.schedule = seed % 3 == 0   ? schedule_kind::serial
                           : seed % 3 == 1 ? schedule_kind::gpipe
                                           : schedule_kind::one_f_one_b;
    scene.train.micro_batches = seed % 3 == 0 ? 1 : 4;
    scene.data.held_by = data_holders::clients;
    scene.network.clusters = clusters;
    scene.network.clients = {(clients + clusters - 1) / clusters};
    scene.cluster.policy = clusters > 1 ? "best" : "nearest";
    scene.cluster.number = clusters;
    scene.cluster.size = clients;
    for (auto* link : {&scene.link.cs_up, &scene.link.cs_down, &scene.link.d2d}) {
        link->rate = distribution::of(50e6);
        link->latency = distribution::of(1e-3);
        link->bandwidth = distribution::of(5e6);
        link->wired_j_bit.reset();
    }
    scene.device.edge.rate = distribution::of(1e11);
    auto& listed = scene.network.overrides;
    for (int i = 0; i < clients; ++i) {
        node_override node;
        node.name = "p" + std::to_string(i);
        node.edge = 0;
        node.rate = spread(3e7, 3e9);
        node.power = spread(0.5, 20.0);
        node.place = position{stream.uniform(-50.0, 50.0), stream.uniform(-50.0, 50.0)};
        listed.nodes.push_back(node);
        for (const auto& [from, to] : {std::pair(node.name, std::string("edge0")), {std::string("edge0"), node.name}}) {
            listed.links.push_back({from, to, spread(2e6, 1e8), {}, {}, {}});
        }
        for (int j = 0; j < i; ++j) {
            const auto other = "p" + std::to_string(j);
            const double rate = spread(2e6, 2e8);
            listed.links.push_back({node.name, other, rate, {}, {}, {}});
            listed.links.push_back({other, node.name, rate, {}, {}, {}});
        }
    }
    auto& samples = out.data.samples.emplace_back();
    auto& quality = out.data.quality.emplace_back();
    for (int i = 0; i < clients; ++i) {
        samples.push_back(8 + static_cast<std::int64_t>(stream.uniform(0.0, 40.0)));
        quality.push_back(stream.uniform(0.5, 1.0));
    }
    return out;
}

void for_each_chain(int clients, int depth, bool edge_blocks, const std::function<void(const formed_cluster&)>& take) {
    std::vector<std::size_t> order;
    std::vector<bool> taken(static_cast<std::size_t>(clients), false);
    std::vector<int> blocks;
    const std::function<void(int, int)> divide = [&](int left, int of_edge) {
        const bool first = blocks.empty(), last = blocks.size() + 1 == order.size();
        if (last) {
            blocks.push_back(left);
            take({order, blocks, of_edge});
            blocks.pop_back();
            return;
        }
        for (int own = first ? 0 : 1; own <= left; ++own) {
            blocks.push_back(own);
            divide(left - own, of_edge);
            blocks.pop_back();
        }
    };
    const std::function<void()> extend = [&] {
        if (!order.empty()) {
            for (int of_edge = 0; of_edge <= (edge_blocks ? depth : 0); ++of_edge) {
                divide(depth - of_edge, of_edge);
            }
        }
        for (std::size_t client = 0; client < taken.size(); ++client) {
            if (!taken[client]) {
                taken[client] = true;
                order.push_back(client);
                extend();
                order.pop_back();
                taken[client] = false;
            }
        }
    };
    extend();
}

plan_figures best_of_all(plan_judge& judge, const plan_objective& objective, int clients, int depth,
                         std::size_t clusters, bool edge_blocks) {
    // The best chain for every set of clients and start point; a plan is made of chains of disjoint sets.
    struct best_chain {
        unsigned set = 0;
        plan_judge::cluster_figures figures;
        formed_cluster chain;
    };
    std::map<std::pair<unsigned, std::size_t>, best_chain> known;
    for_each_chain(clients, depth, edge_blocks, [&](const formed_cluster& chain) {
        unsigned set = 0;
        for (const auto client : chain.clients) {
            set |= 1U << client;
        }
        const auto& figures = judge.alone(0, 0, chain, clusters);
        auto& best = known[{set, chain.clients.front()}];
        if (best.set == 0 || better(figures.own, best.figures.own, objective, {})) {
            best = {set, figures, chain};
        }
    });
    std::vector<best_chain> chains;
    for (const auto& [key, chain] : known) {
        chains.push_back(chain);
    }
    plan_figures best;
    formed_clusters best_plan;
    std::vector<const plan_judge::cluster_figures*> some;
    std::vector<formed_cluster> formed;
    const std::function<void(std::size_t, unsigned)> choose = [&](std::size_t from, unsigned taken) {
        if (!some.empty()) {
            const auto figures = judge.together({some});
            if (best_plan.empty() || better(figures, best, objective, {})) {
                best = figures;
                best_plan = {formed};
            }
        }
        for (std::size_t i = from; i < chains.size() && some.size() < clusters; ++i) {
            if ((chains[i].set & taken) == 0) {
                some.push_back(&chains[i].figures);
                formed.push_back(chains[i].chain);
                choose(i + 1, taken | chains[i].set);
                some.pop_back();
                formed.pop_back();
            }
        }
    };
    choose(0, 0);
    return judge.figures(best_plan);
}

} // namespace gaisnet::every_plan
