// Plans of requests: what is best depends on the load, and every start point keeps its requests.

#include "base/error.hpp"
#include "base/registry.hpp"
#include "emulation/path_loss.hpp"
#include "planning/plan_search.hpp"
#include "planning/request_forecast.hpp"
#include "support/every_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>

namespace gaisnet {
namespace {

using every_plan::instance;
using every_plan::random_instance;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const plan_objective mean_latency{{{plan_metric::latency, 1.0}}, "latency"};

/// A random network whose start points have requests at `rate` a second.
instance requests_at(double rate, std::uint64_t seed, int clients, int depth, int clusters) {
    auto one = random_instance(seed, clients, depth, clusters);
    one.scene.service = service_kind::inference;
    one.scene.infer.requests = 40;
    one.scene.infer.rate = rate;
    one.scene.infer.batch = 1;
    one.scene.cluster.policy = "given";
    auto& listed = one.scene.network.overrides;
    for (auto& node : listed.nodes) { // none is spare
        node.edge.reset();
    }
    listed.clusters.emplace_back();
    for (int cluster = 0, next = 0; cluster < clusters; ++cluster) {
        auto& group = listed.clusters[0].emplace_back();
        for (; next < clients * (cluster + 1) / clusters; ++next) {
            group.clients.push_back("p" + std::to_string(next));
        }
    }
    return one;
}

/// Three clients of one speed.
instance three_alike(double rate) {
    auto one = requests_at(rate, 1, 3, 3, 1);
    for (auto& node : one.scene.network.overrides.nodes) {
        node.rate = 1e8; // 50 requests a second
    }
    for (auto& link : one.scene.network.overrides.links) {
        link.rate = 1e8;
    }
    return one;
}

/// The best of all chains with the first client as start point, by playing each of them.
std::pair<formed_cluster, plan_figures> best_chain(const instance& one, int clients, int depth) {
    plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    std::pair<formed_cluster, plan_figures> best;
    every_plan::for_each_chain(clients, depth, false, [&](const formed_cluster& chain) {
        if (chain.clients.front() != 0) {
            return;
        }
        const auto figures = judge.figures({{chain}});
        if (best.first.clients.empty() || better(figures, best.second, mean_latency, {})) {
            best = {chain, figures};
        }
    });
    return best;
}

TEST(request_plans, the_load_decides_between_few_hops_and_a_balanced_chain) {
    const auto plan_at = [](double rate) {
        auto one = three_alike(rate);
        one.scene.plan.optimise = {.split = true, .order = true};
        const auto plan = make_plan(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
        const auto [chain, figures] = best_chain(one, 3, 3);
        EXPECT_DOUBLE_EQ(plan.planned.latency_s, figures.latency_s) << "the best of all chains";
        EXPECT_EQ(plan.formed[0][0].blocks, chain.blocks);
        EXPECT_LE(plan.bound.value, figures.latency_s);
        return plan;
    };
    const auto calm = plan_at(1.0), busy = plan_at(400.0);
    EXPECT_THAT(calm.formed[0][0].blocks, ElementsAre(3)) << "nobody waits, so nothing is sent";
    EXPECT_THAT(busy.formed[0][0].blocks, ElementsAre(1, 1, 1)) << "three work at a time";
    // Each would be bad at the load of the other.
    auto one = three_alike(400.0);
    plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    EXPECT_GT(judge.figures(calm.formed).latency_s, 1.5 * busy.planned.latency_s);
    EXPECT_GT(busy.bound.value, 1.2 * calm.bound.value) << "the bound counts what requests wait";
}

TEST(request_plans, one_batch_at_a_time_is_no_pipeline) {
    auto one = three_alike(400.0);
    one.scene.infer.in_flight = 1;
    one.scene.plan.optimise = {.split = true, .order = true};
    const auto plan = make_plan(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    EXPECT_THAT(plan.formed[0][0].blocks, ElementsAre(3));
}

TEST(request_plans, clusters_that_share_nothing_add_up_to_the_network) {
    for (const std::uint64_t seed : {1, 2, 3}) {
        auto one = requests_at(50.0, seed, 4, 3, 2);
        one.data.images = 37; // 19 and 18
        plan_judge judge(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
        const formed_clusters formed{{{{0, 1}, {1, 2}, 0}, {{2, 3}, {2, 1}, 0}}};
        const auto all = judge.figures(formed);
        std::vector<const plan_judge::cluster_figures*> parts;
        for (std::size_t place = 0; place < 2; ++place) {
            parts.push_back(&judge.alone(0, place, formed[0][place], 2));
        }
        EXPECT_DOUBLE_EQ(parts[0]->own.useful, 19.0);
        const auto sum = judge.together({parts});
        EXPECT_DOUBLE_EQ(sum.useful, 37.0);
        EXPECT_DOUBLE_EQ(all.useful, 37.0);
        EXPECT_NEAR(sum.latency_s, all.latency_s, 1e-9 * all.latency_s);
        EXPECT_NEAR(sum.spectrum_hz_s, all.spectrum_hz_s, 1e-9 * all.spectrum_hz_s);
        EXPECT_DOUBLE_EQ(sum.span_s, all.span_s);
        EXPECT_DOUBLE_EQ(sum.memory_bytes, all.memory_bytes);
    }
}

TEST(request_plans, energy_and_spectrum_are_those_of_a_request) {
    auto one = three_alike(1.0);
    const formed_clusters chain{{{{0, 1, 2}, {1, 1, 1}, 0}}};
    plan_judge few(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    const auto some = few.figures(chain);
    one.scene.infer.requests *= 2;
    plan_judge many(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    const auto twice = many.figures(chain);
    EXPECT_DOUBLE_EQ(twice.useful, 2.0 * some.useful);
    EXPECT_NEAR(twice.spectrum_hz_s, some.spectrum_hz_s, 0.05 * some.spectrum_hz_s) << "but for the delivery";
    EXPECT_NEAR(twice.energy_j, some.energy_j, 0.5 * some.energy_j);
}

TEST(request_plans, no_start_point_is_lost_with_its_requests) {
    for (const std::uint64_t seed : {4, 5}) {
        auto one = requests_at(20.0, seed, 4, 3, 2);
        one.scene.plan.optimise = {.split = true, .clusters = true, .order = true, .start = true};
        const auto plan = make_plan(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
        EXPECT_EQ(plan.formed[0].size(), 2U) << "one fast client alone would have a smaller mean";
        EXPECT_DOUBLE_EQ(plan.planned.useful, 80.0);
        EXPECT_LE(plan.planned.latency_s, plan.given.latency_s);
    }
}

TEST(request_plans, times_of_single_clients_are_those_of_their_chains) {
    auto one = requests_at(10.0, 6, 4, 3, 2);
    one.scene.infer.arrivals = arrival_kind::trace;
    one.scene.infer.trace =
        std::make_shared<const request_trace>(request_trace{{"p0", {0.1, 0.2, 0.3}}, {"p2", {0.5, 0.6, 0.7, 0.8}}});
    one.scene.plan.optimise = {.split = true, .order = true};
    const auto plan = make_plan(one.scene, make_tuning_method(one.scene), one.sizes, one.data);
    EXPECT_DOUBLE_EQ(plan.planned.useful, 7.0);
    EXPECT_LE(plan.planned.latency_s, plan.given.latency_s);
    EXPECT_LE(plan.bound.value, plan.planned.latency_s);
}

TEST(request_plans, no_plan_is_better_than_its_bound) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const double rate = seed % 3 == 0 ? 1.0 : seed % 3 == 1 ? 30.0 : 300.0;
        auto one = requests_at(rate, seed, 3, 3, 1);
        one.scene.infer.batch = seed % 2 == 0 ? 1 : 4;
        for (const auto metric : {plan_metric::latency, plan_metric::energy, plan_metric::goodput}) {
            const plan_objective objective{{{metric, 1.0}}, name_in(plan_metric_words, metric)};
            one.scene.plan.objective = objective;
            one.scene.plan.optimise = {.split = true, .order = true, .start = true};
            const auto method = make_tuning_method(one.scene);
            const auto plan = make_plan(one.scene, method, one.sizes, one.data);
            plan_judge judge(one.scene, method, one.sizes, one.data);
            const auto best = every_plan::best_of_all(judge, objective, 3, 3, 1);
            const double least = value_of(best, objective, plan.given),
                         found = value_of(plan.planned, objective, plan.given);
            EXPECT_GT(plan.bound.value, 0.0) << objective.text;
            EXPECT_LE(plan.bound.value, least * (1.0 + 1e-9)) << objective.text << " " << seed;
            EXPECT_LE(found, 1.02 * least) << objective.text << " " << seed;
        }
    }
}

/// Clients on a line, 60 m apart, whose radio carries 100 m.
instance on_a_line(int clients) {
    auto one = requests_at(5.0, 5, clients, 3, 1);
    auto& scene = one.scene;
    scene.network.overrides.links.clear();
    for (int i = 0; i < clients; ++i) {
        scene.network.overrides.nodes[static_cast<std::size_t>(i)].place = position{60.0 * i, 0.0};
    }
    radio_settings radio;
    radio.loss = registry<path_loss_model>::at("pedestrian", "link.d2d.path_loss");
    radio.min_rate = 1e6;
    scene.link.d2d.radio = radio;
    scene.device.client.tx_power = distribution::of(1.6e-3);
    scene.link.d2d.bandwidth = distribution::of(20e6);
    return one;
}

TEST(request_plans, an_end_point_reaches_the_start_point) {
    auto one = on_a_line(3);
    const auto method = make_tuning_method(one.scene);
    plan_judge judge(one.scene, method, one.sizes, one.data);
    EXPECT_EQ(judge.figures({{{{0, 1}, {1, 2}, 0}}}).obstacle, "") << "neighbours";
    EXPECT_THAT(judge.figures({{{{0, 1, 2}, {1, 1, 1}, 0}}}).obstacle, HasSubstr("p2 -> p0"));
    // Nobody holds all of it, so a plan has an end point elsewhere.
    for (auto& node : one.scene.network.overrides.nodes) {
        node.memory = 1.05 * judge.figures({{{{0, 1}, {1, 2}, 0}}}).memory_bytes;
    }
    one.scene.plan.optimise = {.split = true, .order = true};
    const auto plan = make_plan(one.scene, method, one.sizes, one.data);
    EXPECT_GT(plan.formed[0][0].clients.size(), 1U);
    EXPECT_NE(plan.formed[0][0].clients.back(), 2U) << "whose results would not come back";
    EXPECT_NE(plan.given.obstacle, "");
    one.scene.plan.optimise = {.order = true};
    EXPECT_THAT([&] { make_plan(one.scene, method, one.sizes, one.data); },
                ThrowsMessage<usage_error>(HasSubstr("no plan was found that can be formed")));
}

TEST(request_forecasts, shares_of_devices_and_links_and_the_queue_make_the_latency) {
    auto one = requests_at(60.0, 2, 3, 3, 1);
    one.scene.infer.batch = 4;
    one.scene.infer.delivery = delivery_kind::none;
    one.scene.sense.time = 0.0;
    one.scene.cluster.formed = {{{{0, 1, 2}, {1, 1, 1}, 0}}};
    const auto deploy = make_deployment(one.scene, make_tuning_method(one.scene), one.sizes, {10});
    const auto played = inference_ledger(deploy).play(make_inference_plan(deploy));
    double latency = 0.0, elsewhere = 0.0, shares = 0.0;
    for (const auto& row : played.requests) {
        latency += row.latency_s;
        elsewhere += row.parts["queue"] + row.parts["sensing"] + row.parts["delivery"];
    }
    for (const auto& share : played.shares) {
        shares += share.took_s + share.waited_s;
        EXPECT_NEAR(share.latency_s, latency, 1e-9 * latency) << "every request passes everything";
    }
    EXPECT_NEAR(shares + elsewhere, latency, 1e-9 * latency);
    const auto [mean, energy] = mean_of_requests(played);
    EXPECT_NEAR(mean * static_cast<double>(played.requests.size()), latency, 1e-9 * latency);
    EXPECT_THAT(request_bottleneck(deploy, played).text, HasSubstr("of a request's latency"));
    const auto halved = halve_each_for_requests(deploy, make_inference_plan(deploy));
    const auto rate =
        std::find_if(halved.begin(), halved.end(), [](const auto& each) { return each.name == "infer.rate"; });
    ASSERT_NE(rate, halved.end());
    EXPECT_LE(rate->latency_s, mean);
}

} // namespace
} // namespace gaisnet
