// Inference over chains: what it costs against closed forms, what it answers against the unsplit model.

#include "base/error.hpp"
#include "experiment/players.hpp"
#include "model/torch/torch_stage.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/inference_run.hpp"
#include "runtime/placement.hpp"
#include "support/lab.hpp"
#include "transport/loopback.hpp"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

namespace gaisnet {
namespace {

scenario serving_scenario() {
    auto scene = lab::small_scenario();
    scene.service = service_kind::inference;
    scene.infer.requests = 6;
    scene.infer.arrivals = arrival_kind::burst;
    scene.infer.batch = 1;
    return scene;
}

struct serving {
    explicit serving(const scenario& given)
        : scene(given)
        , deploy(lab::deploy(scene))
        , plan(make_inference_plan(deploy)) {}
    serving(const serving&) = delete;
    serving& operator=(const serving&) = delete;
    inference_forecast forecast(std::vector<int> rank_of = {}) const {
        return inference_ledger(deploy, std::move(rank_of)).play(plan);
    }

    scenario scene;
    deployment deploy;
    inference_plan plan;
};

double parts_of(const request_row& row) {
    return row.parts["sensing"] + row.parts["queue"] + row.parts["delivery"] + row.parts["compute"] +
           row.parts["edge"] + row.parts["d2d"] + row.parts["cs_smashed"] + row.parts["result"] + row.parts["busy"];
}

// ---------------------------------------------------------------------------------------------- what it costs

TEST(inference, one_request_takes_the_sum_of_its_parts) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    scene.infer.requests = 1;
    const serving here(scene);
    const auto played = here.forecast();
    ASSERT_EQ(played.requests.size(), 1U);
    const auto& row = played.requests.front();

    // 50 Mbit/s and 2 ms on every link, 1 GFLOP/s; image 16, patch 4: 17 tokens of 24 floats; 5 logits.
    const auto transfer = [](double bytes) { return bytes * 8.0 / 50e6 + 2e-3; };
    const auto& chain = here.deploy.chains.front();
    ASSERT_EQ(chain.size(), 3U);
    double compute = 0.0;
    for (const auto& seat : chain) {
        compute += seat.spec.forward_flops(1) / 1e9;
    }
    const double tokens = 17 * 24 * 4, cls = 24 * 4, logits = 5 * 4;
    EXPECT_NEAR(row.parts["sensing"], 1e-3, 1e-12);
    EXPECT_NEAR(row.parts["compute"], compute, 1e-12);
    EXPECT_NEAR(row.parts["d2d"], transfer(tokens) + transfer(cls), 1e-12);
    EXPECT_NEAR(row.parts["result"], transfer(logits), 1e-12);
    // Prompts of four blocks for the second client, which the edge sends when it is asked to; that computes when it has
    // both them and the tokens.
    const double modules = transfer(static_cast<double>(scene.link.request_bytes)) + transfer(4 * 3 * 24 * 4);
    const double tokens_there = 1e-3 + chain[0].spec.forward_flops(1) / 1e9 + transfer(tokens);
    const double waits_second = std::max(0.0, modules - tokens_there);
    EXPECT_NEAR(row.parts["delivery"], waits_second, 1e-12);
    EXPECT_NEAR(row.parts["queue"] + row.parts["busy"], 0.0, 1e-12);
    EXPECT_NEAR(row.latency_s, parts_of(row), 1e-12);
    EXPECT_NEAR(played.end_s.front(), row.latency_s, 1e-12);
}

// A request to the edge is a message like others: it takes the uplink's time, and delivery waits for it.
TEST(inference, asking_the_edge_takes_the_uplink) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    scene.infer.requests = 1;
    const auto near = serving(scene).forecast();
    scene.link.cs_up.latency = distribution::of(10.0);
    const auto far = serving(scene).forecast();
    EXPECT_GT(far.requests.front().latency_s, near.requests.front().latency_s + 9.9);
    EXPECT_GT(far.requests.front().parts["delivery"], 9.9);
    const auto asked = std::count_if(near.events.begin(), near.events.end(), [](const event_row& event) {
        return event.kind == event_kind::send_request && event.link == link_class::cs_up && event.bytes == 256;
    });
    EXPECT_EQ(asked, 1);
}

// One batch at a time in the chain is a queue with one server: Lindley's recursion.
TEST(inference, waiting_times_are_those_of_a_queue_with_one_server) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    scene.sense.time = 0.0;
    scene.infer.requests = 300;
    scene.infer.arrivals = arrival_kind::poisson;
    scene.infer.in_flight = 1;
    scene.infer.delivery = delivery_kind::none;
    scene.infer.rate = 40.0;
    const serving here(scene);
    const auto played = here.forecast();
    const auto& arrivals = here.plan.lines.front().arrivals_s;
    const double service = played.requests.front().parts["compute"] + played.requests.front().parts["d2d"] +
                           played.requests.front().parts["result"];
    double wait = 0.0, waited = 0.0;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        wait = i == 0 ? 0.0 : std::max(0.0, wait + service - (arrivals[i] - arrivals[i - 1]));
        waited += wait;
        EXPECT_NEAR(played.requests[i].parts["queue"], wait, 1e-9) << i;
        EXPECT_NEAR(played.requests[i].latency_s, wait + service, 1e-9) << i;
    }
    EXPECT_GT(waited, 0.1) << "the queue is to be busy";
    const double mean = arrivals.back() / static_cast<double>(arrivals.size());
    EXPECT_NEAR(mean, 1.0 / 40.0, 4.0 / 40.0 / std::sqrt(300.0)) << "gaps have the mean of the rate";
}

// Equal requests through servers in a row: from the first result on, one comes out each time that the slowest takes.
TEST(inference, a_pipeline_is_as_fast_as_its_slowest_part) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    scene.sense.time = 0.0;
    scene.infer.requests = 40;
    scene.infer.in_flight = 100;
    scene.infer.delivery = delivery_kind::none;
    for (const double rate : {1e9, 20e6}) { // links are slowest, then computing is
        scene.device.client.rate = distribution::of(rate);
        const serving here(scene);
        const auto played = here.forecast();
        double slowest = 17 * 24 * 4 * 8.0 / 50e6;
        for (const auto& seat : here.deploy.chains.front()) {
            slowest = std::max(slowest, seat.spec.forward_flops(1) / rate);
        }
        const auto& first = played.requests.front();
        for (std::size_t i = 0; i < played.requests.size(); ++i) {
            EXPECT_NEAR(played.requests[i].latency_s, first.latency_s + static_cast<double>(i) * slowest, 1e-9) << i;
            EXPECT_NEAR(parts_of(played.requests[i]), played.requests[i].latency_s, 1e-9) << i;
        }
        scene.infer.in_flight = 1;
        const auto serial = serving(scene).forecast();
        EXPECT_NEAR(serial.end_s.front(), 40.0 * first.latency_s, 1e-9);
        scene.infer.in_flight = 100;
    }
}

TEST(inference, requests_that_wait_go_together_up_to_a_batch) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    scene.network.clients = {1};
    scene.sense.time = 0.0;
    scene.infer.batch = 4;
    scene.infer.delivery = delivery_kind::none;
    scene.infer.arrivals = arrival_kind::trace;
    // A batch of n takes n x its FLOPs at 1 GFLOP/s.
    const double one =
        serving(scene =
                    [&] {
                        auto probe = scene;
                        probe.infer.trace = std::make_shared<const request_trace>(request_trace{{"", {0.0}}});
                        return probe;
                    }())
            .forecast()
            .requests.front()
            .latency_s;
    std::vector<double> times{0.0};
    for (int i = 1; i <= 6; ++i) {
        times.push_back(one * 0.1 * i);
    }
    times.push_back(100.0);
    scene.infer.trace = std::make_shared<const request_trace>(request_trace{{"c0.0", times}});
    const auto played = serving(scene).forecast();
    std::vector<std::pair<std::int64_t, std::int64_t>> batches;
    for (const auto& batch : played.decisions.batches.front()) {
        batches.emplace_back(batch.first, batch.count);
    }
    EXPECT_EQ(batches, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1}, {1, 4}, {5, 2}, {7, 1}}));
    EXPECT_NEAR(played.requests[4].latency_s, one + 4 * one - times[4], 1e-9);
    EXPECT_NEAR(played.requests[6].latency_s, 7 * one - times[6], 1e-9);
    EXPECT_NEAR(played.requests[7].latency_s, one, 1e-9);
}

TEST(inference, delivery_is_of_tuned_modules_or_of_whole_stages_or_none) {
    for (const auto* method : {"prompt_deep", "lora", "head", "full"}) {
        for (const auto delivery : {delivery_kind::tunable, delivery_kind::full, delivery_kind::none}) {
            auto scene = serving_scenario();
            scene.tuning.method = method;
            scene.infer.delivery = delivery;
            const serving here(scene);
            const auto played = here.forecast();
            std::uint64_t expected = 0, sent = 0;
            double airtime = 0.0;
            for (const auto& chain : here.deploy.chains) {
                for (const auto& seat : chain) {
                    expected += delivery == delivery_kind::none ? 0 : seat.spec.tunable_bytes();
                    expected += delivery == delivery_kind::full
                                    ? static_cast<std::uint64_t>(seat.spec.frozen_elements()) * 4
                                    : 0;
                }
            }
            for (const auto& event : played.events) {
                if (event.kind == event_kind::send_modules_down) {
                    sent += event.bytes;
                    airtime += event.airtime_hz_s;
                }
            }
            EXPECT_EQ(sent, expected) << method;
            EXPECT_NEAR(airtime, static_cast<double>(sent) * 8.0 / 50e6 * 5e6, 1e-9 * airtime) << method;
            if (delivery == delivery_kind::full) { // each parameter of the model once for each cluster
                std::int64_t model = here.deploy.domains.front().elements;
                for (const auto& weight : here.deploy.model->tensors()) {
                    model += std::string(method) == "full" ? 0 : weight.elements();
                }
                EXPECT_EQ(sent, static_cast<std::uint64_t>(2 * 4 * model)) << method;
            }
        }
    }
}

TEST(inference, who_holds_the_current_version_gets_nothing) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    serving here(scene);
    const auto all = here.forecast();
    const auto second = here.deploy.chains.front()[1].node;
    here.plan.holds[second] = true;
    const auto less = here.forecast();
    const auto received = [&](const inference_forecast& played, std::uint32_t node) {
        std::uint64_t bytes = 0;
        for (const auto& event : played.events) {
            bytes += event.kind == event_kind::send_modules_down && event.peer == node ? event.bytes : 0;
        }
        return bytes;
    };
    EXPECT_GT(received(all, second), 0U);
    EXPECT_EQ(received(less, second), 0U);
    const auto last = here.deploy.chains.front()[2].node;
    EXPECT_EQ(received(all, last), received(less, last));
}

TEST(inference, needs_no_more_temporary_memory_than_training_with_the_same_batch) {
    int compared = 0;
    for (const auto& tuning : lab::every_tuning()) {
        for (const std::vector<int>& clients : {std::vector<int>{1}, {2}, {3}, {4}}) {
            for (const bool edge_stage : {false, true}) {
                auto scene = serving_scenario();
                scene.tuning = tuning;
                scene.network.clients = clients;
                if (edge_stage) {
                    scene.cluster.edge_stage = 2;
                }
                scene.infer.batch = scene.train.batch;
                scene.infer.in_flight = 1;
                const auto serves = serving(scene).forecast();
                scene.service = service_kind::fine_tuning;
                const auto deploy = lab::deploy(scene);
                const auto trains = ledger_run(deploy).play(1);
                for (const auto& row : serves.nodes) {
                    const auto other = std::find_if(trains.nodes.begin(), trains.nodes.end(),
                                                    [&](const node_row& one) { return one.node == row.node; });
                    EXPECT_LE(row.temporary_bytes, other->temporary_bytes)
                        << tuning.method << ", " << deploy.net.nodes[row.node].name << " of " << clients[0];
                    EXPECT_LE(row.total_bytes, other->total_bytes) << tuning.method;
                    ++compared;
                }
            }
        }
    }
    EXPECT_GT(compared, 500);
}

TEST(inference, a_trace_that_names_nobody_is_an_error) {
    auto scene = serving_scenario();
    scene.infer.arrivals = arrival_kind::trace;
    scene.infer.trace = std::make_shared<const request_trace>(request_trace{{"c0.1", {0.0}}});
    const auto deploy = lab::deploy(scene);
    EXPECT_THROW(make_inference_plan(deploy), usage_error);
}

// ---------------------------------------------------------------------------------------------- what it answers

using answers = std::map<int, std::vector<float>>;

/// Samples that no cluster shares.
std::shared_ptr<sample_source> samples_of(const scenario& scene, int cluster) {
    return std::make_shared<lab::random_samples>(make_model(scene), 1000 * cluster, 0);
}

/// \param first, part batches: the first one that is played, and how many are played together. \param joint counts
/// computations for several clusters.
answers answer(const serving& here, int ranks, std::size_t first = 0, std::size_t part = 1000,
               std::atomic<int>* joint = nullptr) {
    const auto backbone = lab::random_backbone(make_model(here.scene));
    answers all;
    lab::play_session(
        here.deploy, here.plan, ranks, backbone,
        [&]() -> executor_factory {
            return [&, stacks = std::make_shared<stage_stacks>(here.deploy, backbone, optimizer_settings{})](
                       const stage_seat& seat) {
                return std::make_unique<torch_stage>(stacks->of(seat), samples_of(here.scene, seat.cluster));
            };
        },
        [&](const inference_run& run) {
            for (const auto& [cluster, logits] : run.answers()) {
                all[cluster].insert(all[cluster].end(), logits.as<float>(), logits.as<float>() + logits.elements());
            }
        },
        first, part,
        [&](std::size_t clusters) {
            if (joint != nullptr && clusters > 1) {
                ++*joint;
            }
        });
    return all;
}

/// The whole model on the same batches.
answers answer_unsplit(const serving& here) {
    set_torch_threads(1);
    const c10::NoGradGuard no_gradients;
    const auto backbone = lab::random_backbone(make_model(here.scene));
    const auto decisions = here.forecast().decisions;
    answers all;
    for (std::size_t c = 0; c < decisions.batches.size(); ++c) {
        const auto edge = static_cast<std::uint32_t>(here.deploy.net.clusters[c].edge);
        tuned_model model(backbone, here.deploy.method, lab::classes);
        model.load(lab::moved_model(here.deploy, backbone, edge));
        const auto source = samples_of(here.scene, static_cast<int>(c));
        for (const auto& batch : decisions.batches[c]) {
            const auto images = source->inputs({0, 0, batch.first, batch.count, batch.count});
            const auto logits = model.forward(to_torch(images)).contiguous();
            auto& mine = all[static_cast<int>(c)];
            mine.insert(mine.end(), logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel());
        }
    }
    return all;
}

TEST(inference, a_chain_answers_what_the_whole_model_answers_bit_for_bit) {
    for (const auto& tuning : lab::every_tuning()) {
        for (const int clients : {1, 2, 4}) {
            auto scene = serving_scenario();
            scene.tuning = tuning;
            scene.network.clients = {clients};
            scene.infer.batch = 3;
            const serving here(scene);
            EXPECT_EQ(answer(here, 1), answer_unsplit(here)) << tuning.method << ", " << clients << " clients";
        }
    }
    auto scene = serving_scenario();
    scene.cluster.edge_stage = 3;
    scene.infer.batch = 3;
    const serving with_edge(scene);
    EXPECT_EQ(answer(with_edge, 1), answer_unsplit(with_edge)) << "the edge is a stage";
    scene.cluster.edge_stage.reset();
    scene.train.labels = label_route::local;
    const serving u_shaped(scene);
    EXPECT_EQ(answer(u_shaped, 1), answer_unsplit(u_shaped)) << "the head is at the start point";
}

TEST(inference, clusters_that_compute_together_answer_what_they_answer_alone) {
    for (const auto& tuning : lab::every_tuning()) {
        auto scene = serving_scenario();
        scene.tuning = tuning;
        scene.network.clusters = 4;
        scene.network.clients = {2, 2, 2, 2};
        scene.infer.batch = 3;
        scene.infer.requests = 10;
        scene.infer.arrivals = arrival_kind::poisson; // batches of other sizes for each
        scene.infer.rate = 200.0;
        scene.runtime.fuse = {false, 4};
        scene.placement = "node";
        serving here(scene);
        here.plan.lines[2].arrivals_s.resize(4); // and fewer of them
        const auto expected = answer_unsplit(here);
        for (const int ranks : {1, 2}) {
            for (const std::size_t part : {1000, 2}) {
                std::atomic<int> joint = 0;
                EXPECT_EQ(answer(here, ranks, 0, part, &joint), expected)
                    << tuning.method << ", " << ranks << " ranks, in parts of " << part;
                EXPECT_EQ(joint > 0, here.deploy.groups[1] == 0) << tuning.method;
            }
        }
    }
}

TEST(inference, answers_are_the_same_on_any_ranks) {
    for (const auto delivery : {delivery_kind::tunable, delivery_kind::full, delivery_kind::none}) {
        auto scene = serving_scenario();
        scene.network.edges = 2;
        scene.network.clients = {3, 2};
        scene.infer.batch = 3;
        scene.infer.requests = 10;
        scene.infer.delivery = delivery;
        scene.infer.arrivals = arrival_kind::poisson;
        scene.infer.rate = 200.0;
        const auto expected = answer_unsplit(serving(scene));
        ASSERT_EQ(expected.size(), 4U);
        EXPECT_NE(expected.at(0), expected.at(1));
        for (const int ranks : {1, 2, 3}) {
            for (const auto placement : {"cluster", "node"}) {
                scene.placement = placement;
                EXPECT_EQ(answer(serving(scene), ranks), expected) << ranks;
            }
        }
    }
}

// Whatever has been answered before need not be computed again: neither in this process nor by an earlier one.
TEST(inference, sessions_in_parts_answer_the_same) {
    auto scene = serving_scenario();
    scene.network.edges = 2;
    scene.network.clients = {3, 2};
    scene.infer.batch = 3;
    scene.infer.requests = 16;
    scene.infer.arrivals = arrival_kind::poisson;
    scene.infer.rate = 200.0;
    for (const int ranks : {1, 3}) {
        scene.placement = ranks > 1 ? "node" : "cluster";
        const serving here(scene);
        const auto whole = answer(here, ranks);
        for (const std::size_t part : {1, 2, 5}) {
            EXPECT_EQ(answer(here, ranks, 0, part), whole) << part;
            const auto batches = here.forecast().decisions.batches;
            for (const auto& [cluster, rest] : answer(here, ranks, 2, part)) {
                const auto& its = whole.at(cluster);
                const auto before = batches[static_cast<std::size_t>(cluster)][2].first * lab::classes;
                EXPECT_EQ(rest, std::vector<float>(its.begin() + before, its.end())) << part;
            }
        }
    }
}

TEST(inference, parts_keep_what_they_have_of_the_whole) {
    auto scene = serving_scenario();
    scene.clock = clock_kind::real;
    scene.infer.batch = 2;
    scene.infer.requests = 9;
    const serving here(scene);
    std::vector<int> rank_of(here.deploy.net.nodes.size());
    std::iota(rank_of.begin(), rank_of.end(), 0);
    const auto whole = here.forecast(rank_of).decisions;
    const auto batches = most_batches(whole);
    ASSERT_GE(batches, 5U);
    const auto first = part_of(here.plan, whole, 0, 2), last = part_of(here.plan, whole, 2, batches);
    EXPECT_EQ(first.plan.requests_of(0), whole.batches[0][0].count + whole.batches[0][1].count);
    EXPECT_EQ(first.plan.requests_of(0) + last.plan.requests_of(0), 9);
    EXPECT_EQ(first.decisions.exchanges.size() + last.decisions.exchanges.size(), whole.exchanges.size());
    EXPECT_FALSE(first.plan.founded);
    EXPECT_TRUE(last.plan.founded);
    double start = whole.latency_s;
    for (const auto& some : whole.batches) {
        start = std::min(start, some[2].taken_s);
    }
    ASSERT_GT(start, 0.0);
    EXPECT_EQ(last.decisions.latency_s, whole.latency_s - start);
    std::size_t messages = 0;
    for (const auto& [route, times] : whole.arrivals) {
        const auto in = [&](const session_part& part) {
            const auto found = part.decisions.arrivals.find(route);
            return found == part.decisions.arrivals.end() ? std::vector<double>() : found->second;
        };
        auto joined = in(first);
        for (const double time : in(last)) {
            EXPECT_GE(time, 0.0);
            joined.push_back(time + start);
        }
        ASSERT_EQ(joined.size(), times.size()) << name_of(route.kind);
        for (std::size_t i = 0; i < times.size(); ++i) {
            EXPECT_NEAR(joined[i], times[i], 1e-12);
        }
        messages += times.size();
    }
    EXPECT_GT(messages, 30U);
}

// What is delivered is what answers: nobody has the modules in advance.
TEST(inference, answers_rest_on_what_was_delivered) {
    auto scene = serving_scenario();
    scene.network.clusters = 1;
    serving here(scene);
    const auto right = answer(here, 1);
    const auto backbone = lab::random_backbone(make_model(scene));
    auto world = loopback_world(1);
    const std::vector<int> rank_of(here.deploy.net.nodes.size(), 0);
    auto other = lab::moved_model(here.deploy, backbone, 0);
    other.as<float>()[0] += 1.0F;
    inference_run run(here.deploy, *world.front(), rank_of,
                      [&](const stage_seat& seat) {
                          return std::make_unique<torch_stage>(seat.spec, backbone, optimizer_settings{},
                                                               samples_of(scene, 0));
                      },
                      {other});
    run.play(here.plan, here.forecast().decisions);
    const auto logits = run.answers().at(0);
    EXPECT_NE(std::vector<float>(logits.as<float>(), logits.as<float>() + logits.elements()), right.at(0));
}

} // namespace
} // namespace gaisnet
