#include "planning/plan_search.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"
#include "data/shares.hpp"
#include "emulation/path_loss.hpp"
#include "network/clustering.hpp"
#include "network/network_file.hpp"
#include "planning/chain_model.hpp"
#include "support/every_plan.hpp"
#include "support/lab.hpp"
#include "support/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace gaisnet {
namespace {

using every_plan::instance;
using every_plan::random_instance;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const plan_objective latency{{{plan_metric::latency, 1.0}}, "latency"};

formed_clusters two_chains() { return {{{{0, 1}, {1, 2}, 0}, {{2, 3}, {2, 1}, 0}}}; }

TEST(plans, clusters_that_share_nothing_add_up_to_the_network) {
    for (const std::uint64_t seed : {1, 2, 3}) {
        const auto one = random_instance(seed, 4, 3, 2);
        plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
        ASSERT_TRUE(judge.independent());
        const auto formed = two_chains();
        const auto all = judge.figures(formed);
        std::vector<const plan_judge::cluster_figures*> parts;
        for (std::size_t place = 0; place < 2; ++place) {
            parts.push_back(&judge.alone(0, place, formed[0][place], 2));
        }
        const auto sum = judge.together({parts});
        EXPECT_NEAR(sum.latency_s, all.latency_s, 1e-6 * all.latency_s); // the edge adds up two contributions
        EXPECT_DOUBLE_EQ(sum.spectrum_hz_s, all.spectrum_hz_s);
        EXPECT_DOUBLE_EQ(sum.useful, all.useful);
        EXPECT_DOUBLE_EQ(sum.memory_bytes, all.memory_bytes);
    }
}

TEST(plans, the_batches_of_a_long_round_are_alike) {
    auto one = random_instance(4, 4, 3, 1);
    one.scene.train.steps = 40;
    plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    const formed_cluster chain{{0, 1, 2}, {1, 1, 1}, 0};
    const auto played = judge.figures({{chain}});
    const auto estimated = judge.alone(0, 0, chain, 1).own;
    // Latencies of links count by batch, and a batch that is not full has them as well.
    EXPECT_NEAR(estimated.latency_s, played.latency_s, 0.01 * played.latency_s);
    EXPECT_NEAR(estimated.spectrum_hz_s, played.spectrum_hz_s, 1e-6 * played.spectrum_hz_s);
}

TEST(plans, dynamic_programming_finds_the_best_division_of_its_model) {
    for (const std::uint64_t seed : {3, 6, 9, 12}) { // serial ones
        const auto one = random_instance(seed, 4, 4, 1);
        plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
        chain_model model(judge, latency, {});
        const std::vector<std::size_t> order{2, 0, 3, 1};
        const auto found = model.split(0, order, 1).front();
        double best = std::numeric_limits<double>::infinity();
        every_plan::for_each_chain(4, 4, false, [&](const formed_cluster& chain) {
            auto place = order.begin();
            const bool in_order = chain.clients.front() == order.front() &&
                                  std::all_of(chain.clients.begin(), chain.clients.end(), [&](std::size_t client) {
                                      place = std::find(place, order.end(), client);
                                      return place != order.end();
                                  });
            if (in_order) {
                best = std::min(best, model.value(0, chain.clients, chain.blocks, 1));
            }
        });
        EXPECT_NEAR(found.value, best, 1e-12 * best) << seed;
        EXPECT_EQ(std::accumulate(found.blocks.begin(), found.blocks.end(), 0), 4);
    }
}

/// Here no single move leads from what a search of clusters finds to the best plan: both clusters have to change at once.
TEST(plans, two_clusters_are_the_best_of_all) {
    constexpr int clients = 5, depth = 3;
    auto one = random_instance(114, clients, depth, 2);
    one.scene.plan.optimise = {.split = true, .clusters = true, .order = true, .start = true};
    const auto method = make_tuning_method(one.scene);
    const auto objective = objective_of(one.scene);
    const auto plan = make_plan(one.scene, method, one.sizes, one.data);
    plan_judge judge(one.scene, method, one.sizes, one.data);
    const auto best = value_of(every_plan::best_of_all(judge, objective, clients, depth, 2), objective, plan.given);
    EXPECT_NEAR(value_of(plan.planned, objective, plan.given), best, 1e-9 * best);
}

/// Ranks belong to clients: what a chain costs, needs and delivers depends on who holds what.
TEST(plans, know_the_rank_of_each_client) {
    auto one = random_instance(3, 4, 4, 2);
    one.scene.tuning.method = "lora";
    double rank = 1;
    for (auto& node : one.scene.network.overrides.nodes) {
        node.rank = rank;
        rank *= 6;
    }
    const auto method = make_tuning_method(one.scene);
    plan_judge judge(one.scene, method, one.sizes, one.data);
    const formed_cluster chain{{0, 3}, {2, 2}, 0}, turned{{0, 3}, {3, 1}, 0};
    const auto played = [&](const formed_cluster& group) {
        auto scene = one.scene;
        scene.cluster.formed = {{group}};
        const auto net = make_topology(scene, judge.everybody(), scene.cluster.formed);
        const auto deploy =
            make_deployment(scene, net, make_model(scene), method, one.sizes, {judge.samples(0, group, 0)});
        const auto seat = deploy.chains[0].back();
        EXPECT_EQ(seat.spec.tunables().front().tensor.shape[0], 216) << "the fourth client's rank";
        return ledger_run(deploy).play(1);
    };
    const auto round = played(chain);
    const auto figures = judge.figures({{chain}});
    EXPECT_DOUBLE_EQ(figures.latency_s, round.rounds[0].latency_s);
    EXPECT_NEAR(figures.spectrum_hz_s,
                std::accumulate(round.rounds[0].airtime_hz_s.begin(), round.rounds[0].airtime_hz_s.end(), 0.0), 1e-9);
    // The model that proposes chains knows them as well: with less of the large rank there is less to compute.
    auto equal = one;
    for (auto& node : equal.scene.network.overrides.nodes) {
        node.rank = 216;
    }
    plan_judge largest(equal.scene, make_tuning_method(equal.scene), one.sizes, one.data);
    chain_model own(judge, latency, {}), all_large(largest, latency, {});
    for (const auto& group : {chain, turned}) {
        EXPECT_LT(own.value(0, group.clients, group.blocks, 1), all_large.value(0, group.clients, group.blocks, 1));
    }
    one.scene.plan.optimise = {.split = true, .clusters = true, .order = true, .start = true};
    const auto plan = make_plan(one.scene, method, one.sizes, one.data);
    const auto best =
        value_of(every_plan::best_of_all(judge, objective_of(one.scene), 4, 4, 2), objective_of(one.scene), plan.given);
    const auto found = value_of(plan.planned, plan.objective, plan.given);
    EXPECT_LE(found, 1.05 * best);
    EXPECT_LE(plan.bound.value, best * (1.0 + 1e-9)) << "no client tunes less than the smallest rank";
}

TEST(plans, memory_is_a_constraint) {
    auto one = random_instance(3, 3, 4, 1);
    one.scene.plan.optimise = {.split = true};
    const auto method = make_tuning_method(one.scene);
    const auto free = make_plan(one.scene, method, one.sizes, one.data);
    // Nobody may hold what the one does that holds most.
    for (auto& node : one.scene.network.overrides.nodes) {
        node.memory = free.planned.memory_bytes - 1.0;
    }
    const auto tight = make_plan(one.scene, method, one.sizes, one.data);
    EXPECT_LT(tight.planned.memory_bytes, free.planned.memory_bytes);
    EXPECT_GE(tight.planned.latency_s, free.planned.latency_s);
    for (auto& node : one.scene.network.overrides.nodes) {
        node.memory = 1000.0;
    }
    EXPECT_THAT([&] { make_plan(one.scene, method, one.sizes, one.data); },
                ThrowsMessage<usage_error>(HasSubstr("no plan fits into the clients' memory")));
}

TEST(plans, a_client_out_of_reach_is_left_out) {
    auto one = random_instance(5, 4, 3, 1);
    auto& scene = one.scene;
    scene.cluster.policy = "best";
    scene.cluster.size = 4;
    // Only D2D links of radio can be out of reach: the client far away reaches nobody.
    scene.network.overrides.links.clear();
    scene.network.overrides.nodes[3].place = position{5000.0, 5000.0};
    radio_settings radio;
    radio.loss = registry<path_loss_model>::at("pedestrian", "link.d2d.path_loss");
    radio.min_rate = 1e5;
    scene.link.d2d.radio = radio;
    scene.device.client.tx_power = distribution::of(0.2);
    scene.link.d2d.bandwidth = distribution::of(20e6);
    const auto plan = make_plan(scene, make_tuning_method(scene), one.sizes, one.data);
    EXPECT_TRUE(plan.planned.fits());
    for (const auto& group : plan.formed.front()) {
        const bool with_it = std::find(group.clients.begin(), group.clients.end(), 3U) != group.clients.end();
        EXPECT_TRUE(!with_it || group.clients.size() == 1);
    }
}

TEST(plans, useful_samples_decide_who_is_a_start_point) {
    auto one = random_instance(6, 3, 2, 1);
    one.data.samples = {{8, 8, 80}};
    one.data.quality = {{1.0, 1.0, 0.9}};
    one.scene.train.steps = 0;
    for (auto& node : one.scene.network.overrides.nodes) {
        node.rate = 1e9;
    }
    one.scene.cluster.policy = "nearest";
    one.scene.cluster.start = start_rule::data;
    const auto plan = make_plan(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    EXPECT_EQ(plan.formed[0][0].clients.front(), 2U);
}

TEST(plans, clusters_of_an_edge_may_be_more_than_those_of_another) {
    auto scene = lab::small_scenario();
    scene.network.edges = 2;
    scene.network.overrides.clusters = {{{{"a", "b"}, {}, 0}, {{"c", "d", "e"}, {0, 3}, 1}}, {{{"f", "g"}, {4, 0}, 0}}};
    scene.network.overrides.clusters[0][1].blocks = {0, 3, 0};
    const auto deploy = lab::deploy(scene, {12, 12, 12});
    EXPECT_EQ(deploy.clusters_of(0), 2);
    EXPECT_EQ(deploy.clusters_of(1), 1);
    std::vector<int> blocks;
    for (const auto& stage : deploy.net.clusters[1].chain) {
        blocks.push_back(stage.blocks);
    }
    EXPECT_THAT(blocks, ElementsAre(0, 1, 3, 0)) << "the edge holds one behind the start point";
    const auto run = lab::run_hfsl(scene, {.samples = {12, 12, 12}});
    EXPECT_EQ(run.models.size(), 2U);
}

TEST(plans, shares_of_clients_go_by_their_names) {
    scenario scene;
    scene.data.held_by = data_holders::clients;
    scene.data.samples = 200;
    scene.network.clusters = 2;
    scene.network.clients = {2};
    scene.cluster.formed = {{{{0, 1}, {}, 0}, {{2, 3}, {}, 0}}};
    const data_shares first(scene, *make_domain_source(scene, {}));
    auto listed = scene;
    listed.network.overrides.clusters = {{{{"c1.1", "c0.0"}, {}, 0}}};
    for (const auto* name : {"c1.0", "c0.1"}) {
        node_override spare;
        spare.name = name;
        spare.edge = 0;
        listed.network.overrides.nodes.push_back(spare);
    }
    listed.cluster.formed = {{{{0, 1}, {}, 0}}};
    const data_shares second(listed, *make_domain_source(listed, {}));
    // c1.1 is the fourth client of the one population, and the first of the other.
    EXPECT_EQ(first.class_counts_of_client(0, 3), second.class_counts_of_client(0, 0));
    EXPECT_EQ(first.class_counts_of_client(0, 0), second.class_counts_of_client(0, 1));
    EXPECT_EQ(first.class_counts(1), first.class_counts_of_client(0, 2));
    EXPECT_EQ(second.class_counts(0), second.class_counts_of_client(0, 0));
}

TEST(plans, a_written_network_has_the_chains_and_everybody_else) {
    auto one = random_instance(7, 4, 3, 1);
    one.scene.network.overrides.nodes[0].samples = 5.0;
    one.scene.network.overrides.nodes[0].blur = 0.5;
    one.scene.cluster.formed = {{{{2, 0}, {1, 2}, 0}}};
    one.scene.cluster.planned = true;
    const auto text = network_file_text(one.scene, make_topology(one.scene));
    EXPECT_THAT(text, HasSubstr(R"({"edge":"edge0","clients":["p2","p0"],"blocks":[1,2]})"));
    EXPECT_THAT(text, HasSubstr(R"("samples":"5")"));
    EXPECT_THAT(text, HasSubstr(R"("blur":"0.5")"));
    EXPECT_THAT(text, HasSubstr(R"("edge":"edge0"})")) << "spare clients";
}

TEST(plans, nobody_knows_beforehand_who_drops_out) {
    auto one = random_instance(8, 4, 3, 1);
    one.scene.plan.optimise = {.split = true, .order = true};
    const auto method = make_tuning_method(one.scene);
    const auto calm = make_plan(one.scene, method, one.sizes, one.data);
    one.scene.dropout.schedule.push_back({"p0", 1.5});
    one.scene.dropout.schedule.push_back({"p1", 1.1});
    const auto stormy = make_plan(one.scene, method, one.sizes, one.data);
    EXPECT_EQ(stormy.formed, calm.formed);
    EXPECT_EQ(stormy.planned.latency_s, calm.planned.latency_s);
}

TEST(plans, only_clusters_that_finish_in_time_are_useful) {
    auto one = random_instance(9, 4, 3, 2);
    plan_judge free(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    const auto formed = two_chains();
    const auto first = free.alone(0, 0, formed[0][0], 2).own, second = free.alone(0, 1, formed[0][1], 2).own;
    ASSERT_NE(first.latency_s, second.latency_s);
    one.scene.round.wait = wait_kind::deadline;
    one.scene.round.deadline_s = 0.5 * (first.latency_s + second.latency_s);
    plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    const auto both = judge.figures(formed);
    EXPECT_EQ(both.cut, 1);
    EXPECT_DOUBLE_EQ(both.useful, first.latency_s < second.latency_s ? first.useful : second.useful);
    EXPECT_TRUE(better(free.figures(formed), both, latency, {})) << "whatever the latency";
}

TEST(plans, objectives_are_read_and_weighed) {
    const auto both = planning_settings::parse_objective("weighted(latency 1, energy 0.5)");
    plan_figures given, plan;
    given.latency_s = 2.0;
    given.energy_j = 10.0;
    plan.latency_s = 1.0;
    plan.energy_j = 5.0;
    EXPECT_DOUBLE_EQ(value_of(plan, both, given), 1.0 * 0.5 + 0.5 * 0.5);
    plan.useful = 30.0;
    plan.span_s = 2.0;
    EXPECT_DOUBLE_EQ(value_of(plan, plan_metric::goodput), 2.0 / 30.0);
    auto full = plan;
    full.excess_bytes = 1.0;
    EXPECT_TRUE(better(plan, full, both, given));
    EXPECT_FALSE(better(full, plan, both, given));
}

} // namespace
} // namespace gaisnet
