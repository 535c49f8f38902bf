// The requests of clients from their arrival to their answer, and what a policy's lack of knowledge costs.

#include "base/error.hpp"
#include "planning/request_desk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Of two edges with a cluster each.
scenario waiting_scene(service_policy policy, double deadline_s = std::numeric_limits<double>::infinity()) {
    scenario scene;
    scene.network.edges = 2;
    scene.network.clusters = 1;
    scene.serve.arrivals = service_arrivals::burst;
    scene.serve.policies = {policy};
    scene.serve.rounds = 6;
    scene.serve.rate = {4.0, 1.0};
    scene.serve.value = {1.0, 1.0};
    scene.serve.deadline_s = {deadline_s, deadline_s};
    return scene;
}

std::vector<outlook_model> two_models(double gain = 0.0) {
    return {{std::vector<double>(7, 0.5), 1.0, {{1.0, 0.25}}},
            {{0.5, 0.5 + gain, 0.5 + gain, 0.5 + gain, 0.5 + gain, 0.5 + gain, 0.5 + gain}, 1.0, {{1.0, 0.25}}}};
}

request_desk desk_of(const scenario& scene, std::vector<double> first, std::vector<double> second) {
    request_desk desk(scene, {{"e0.c0.0", 0, std::move(first)}, {"e1.c0.0", 1, std::move(second)}});
    for (const std::size_t client : {0U, 1U}) {
        desk.price(client, {0.5, 0.0}, {0.5, 0.125}, {}); // of one request: 1 s
    }
    return desk;
}

/// Plays all rounds; everything takes what it is believed to take, and half of the answers are right. \returns the cash
/// at the end.
double play_to_the_end(request_desk& desk, const scenario& scene, const std::vector<outlook_model>& models,
                       double cash = 1, std::string* text = nullptr) {
    std::vector<std::size_t> levels(models.size(), 0);
    for (int round = 0; round < scene.serve.rounds; ++round) {
        const auto service = desk.choose(round, models, levels, cash);
        double end_s = std::isfinite(desk.next_arrival_s()) ? desk.next_arrival_s() : desk.now_s();
        if (text != nullptr) {
            *text += !service ? "- " : (service->tunes ? "+" : "c") + std::to_string(service->number) + " ";
        }
        if (service && service->tunes) {
            ++levels[service->number];
            cash -= 0.25;
            end_s = desk.now_s() + 1.0;
        } else if (service) {
            const auto requests = static_cast<double>(desk.answerable(service->number));
            cash += requests * (models[service->number].accuracy[levels[service->number]] - 0.125);
            end_s = desk.now_s() + 0.5 + 0.5 * requests;
            desk.answer(service->number, static_cast<std::uint64_t>(requests) / 2);
        }
        desk.pass_to(end_s);
    }
    return cash;
}

std::string play_desk(request_desk& desk, const scenario& scene, const std::vector<outlook_model>& models) {
    std::string text;
    play_to_the_end(desk, scene, models, 1, &text);
    return text;
}

TEST(request_desk, a_burst_of_two_clients_is_served_in_turn_by_fair) {
    auto scene = waiting_scene(service_policy::fair);
    scene.serve.per_session = 1;
    auto desk = desk_of(scene, {0.0, 0.0}, {0.0, 0.0});
    EXPECT_EQ(play_desk(desk, scene, two_models()), "c0 c1 c0 c1 - - ");
    const auto rows = desk.clients();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].client, "e0.c0.0");
    EXPECT_EQ(rows[1].edge, 1U);
    for (const auto& row : rows) {
        EXPECT_EQ(row.arrived, 2U);
        EXPECT_EQ(row.answered, 2U);
        EXPECT_EQ(row.expired + row.waiting, 0U);
    }
    EXPECT_DOUBLE_EQ(rows[0].wait_s, (0.0 + 2.0) / 2) << "a session takes a second";
    EXPECT_DOUBLE_EQ(rows[0].longest_wait_s, 2.0);
    EXPECT_DOUBLE_EQ(rows[1].wait_s, (1.0 + 3.0) / 2);
    EXPECT_DOUBLE_EQ(rows[1].longest_wait_s, 3.0);
}

TEST(request_desk, requests_expire_after_their_deadline) {
    auto scene = waiting_scene(service_policy::fair, 1.5);
    scene.serve.per_session = 1;
    auto desk = desk_of(scene, {0.0, 0.0, 0.0}, {0.0, 0.0, 1.0});
    EXPECT_EQ(play_desk(desk, scene, two_models()), "c0 c1 c1 - - - ") << "at 2 s only the request of 1 s is left";
    const auto rows = desk.clients();
    EXPECT_EQ(rows[0].answered, 1U);
    EXPECT_EQ(rows[0].expired, 2U);
    EXPECT_EQ(rows[1].answered, 2U);
    EXPECT_EQ(rows[1].expired, 1U);
    EXPECT_DOUBLE_EQ(rows[1].longest_wait_s, 1.0);
}

TEST(request_desk, what_comes_adds_up) {
    auto scene = waiting_scene(service_policy::random, 2.0);
    scene.serve.arrivals = service_arrivals::poisson;
    scene.serve.rounds = 40;
    const auto arrivals = draw_service_arrivals(scene, {"e0.c0.0", "e1.c0.0"});
    auto desk = desk_of(scene, arrivals[0], arrivals[1]);
    auto models = two_models();
    for (auto& model : models) {
        model.accuracy.resize(41, 0.5);
    }
    play_to_the_end(desk, scene, models, 100.0);
    for (const auto& row : desk.clients()) {
        EXPECT_EQ(row.arrived, row.answered + row.expired + row.waiting);
        EXPECT_GT(row.answered, 0U);
        EXPECT_LE(row.longest_wait_s, 2.0);
    }
}

TEST(request_desk, candidates_are_all_edges_and_all_clients_that_wait) {
    const auto scene = waiting_scene(service_policy::msip);
    auto desk = desk_of(scene, {0.0, 0.0}, {5.0});
    desk.price_next(0, {2.0, 0.5});
    EXPECT_EQ(desk.choose(0, two_models(0.25), {0, 0}, 0.0), (service_candidate{false, 0}));
    const auto& rows = desk.candidates();
    ASSERT_EQ(rows.size(), 3U) << "fine-tuning of two edges, and one client";
    EXPECT_EQ(rows[1].action, "fine_tune");
    EXPECT_EQ(rows[1].model, "edge1");
    EXPECT_DOUBLE_EQ(rows[1].expected, 0.75);
    EXPECT_DOUBLE_EQ(rows[1].profit, -0.25) << "no request is known for it";
    EXPECT_EQ(rows[2].action, "infer");
    EXPECT_EQ(rows[2].requester, "e0.c0.0");
    EXPECT_EQ(rows[2].requests, 2U);
    EXPECT_DOUBLE_EQ(rows[2].profit, 2 * 0.5 - 0.5) << "at the ledger's price of this session";
    EXPECT_TRUE(rows[2].chosen);
    EXPECT_FALSE(rows[0].chosen || rows[1].chosen);
}

TEST(request_desk, the_best_services_are_those_of_who_knows_when_requests_come) {
    // The second edge's requests come late, and only who knows that prepares for them: 2 x 0.375 of the first client,
    // one fine-tuning, 8 x 0.875 of the second.
    const double most = 1.0 + 0.75 - 0.25 + 7.0;
    auto scene = waiting_scene(service_policy::mlcp);
    scene.serve.knows_demand = true;
    const auto models = two_models(0.5);
    auto knowing = desk_of(scene, {0.0, 0.0}, std::vector<double>(8, 3.0));
    EXPECT_NEAR(play_to_the_end(knowing, scene, models), most, 1e-9);
    auto fair_scene = waiting_scene(service_policy::fair);
    auto fair = desk_of(fair_scene, {0.0, 0.0}, std::vector<double>(8, 3.0));
    EXPECT_NEAR(play_to_the_end(fair, fair_scene, models), 1.0 + 0.75 + 3.0, 1e-9) << "it never fine-tunes";
    for (const auto* desk : {&knowing, &fair}) {
        const auto best = desk->best(models, 1.0, scene.serve.rounds, true);
        EXPECT_NEAR(best.cash, most, 1e-9) << "whatever was done";
        EXPECT_TRUE(best.exact);
    }
}

TEST(request_desk, the_best_services_may_have_to_be_paid_for) {
    const auto scene = waiting_scene(service_policy::fair);
    const auto desk = desk_of(scene, {}, std::vector<double>(8, 3.0));
    const auto models = two_models(0.5);
    EXPECT_NEAR(desk.best(models, 0.0, 6, true).cash, 8 * 0.375, 1e-9) << "there is no cash before the requests come";
    EXPECT_NEAR(desk.best(models, 0.0, 6, false).cash, 8 * 0.875 - 0.25, 1e-9);
}

TEST(request_desk, later_sessions_of_a_client_have_nothing_delivered) {
    auto scene = waiting_scene(service_policy::fair);
    scene.serve.per_session = 1;
    request_desk desk(scene, {{"e0.c0.0", 0, {0.0, 0.0, 0.0}}, {"e1.c0.0", 1, {}}});
    desk.price(0, {0.5, 0.25}, {0.5, 0.125}, {4.0, 0.5});
    desk.price(1, {}, {}, {});
    std::vector<double> costs;
    for (const std::size_t level : {0U, 0U, 1U}) {
        ASSERT_TRUE(desk.choose(0, two_models(), {level, 0}, 1.0).has_value());
        costs.push_back(desk.candidates().back().cost);
        desk.answer(0, 0);
        desk.pass_to(desk.now_s() + 1.0);
    }
    EXPECT_THAT(costs, ElementsAre(0.875, 0.375, 0.875)) << "the third one needs the model that was fine-tuned since";
}

TEST(request_desk, poisson_requests_have_the_rate_of_their_edge_and_do_not_depend_on_others) {
    auto scene = waiting_scene(service_policy::fair);
    scene.network.clusters = 2;
    scene.serve.arrivals = service_arrivals::poisson;
    scene.serve.requests = 20'000;
    const auto arrivals = draw_service_arrivals(scene, {"e0.c0.0", "e0.c1.0", "e1.c0.0", "e1.c1.0"});
    ASSERT_EQ(arrivals.size(), 4U);
    for (std::size_t client = 0; client < 4; ++client) {
        ASSERT_EQ(arrivals[client].size(), 20'000U);
        const double rate = client < 2 ? 2.0 : 0.5; // half of the edge's
        EXPECT_NEAR(arrivals[client].back() * rate / 20'000, 1.0, 5.0 / std::sqrt(20'000.0)) << client;
    }
    EXPECT_NE(arrivals[0][0], arrivals[1][0]);
    scene.serve.requests = 3;
    scene.network.edges = 1;
    const auto fewer = draw_service_arrivals(scene, {"e0.c0.0", "e0.c1.0"});
    EXPECT_EQ(fewer[1], std::vector<double>(arrivals[1].begin(), arrivals[1].begin() + 3));
    scene.serve.rate = {0.0};
    EXPECT_TRUE(draw_service_arrivals(scene, {"e0.c0.0", "e0.c1.0"})[0].empty());
}

TEST(request_desk, traces_name_start_points) {
    auto scene = waiting_scene(service_policy::fair);
    scene.serve.arrivals = service_arrivals::trace;
    scene.serve.trace = std::make_shared<request_trace>(request_trace{{"e1.c0.0", {0.5, 2.0}}});
    const auto arrivals = draw_service_arrivals(scene, {"e0.c0.0", "e1.c0.0"});
    EXPECT_TRUE(arrivals[0].empty());
    EXPECT_THAT(arrivals[1], ElementsAre(0.5, 2.0));
    scene.serve.trace = std::make_shared<request_trace>(request_trace{{"", {1.0}}});
    EXPECT_THAT(draw_service_arrivals(scene, {"e0.c0.0", "e1.c0.0"}), ElementsAre(ElementsAre(1.0), ElementsAre(1.0)));
    scene.serve.trace = std::make_shared<request_trace>(request_trace{{"c9.0", {1.0}}});
    EXPECT_THAT(([&] {
                    draw_service_arrivals(scene, {"e0.c0.0", "e1.c0.0"});
                }),
                ThrowsMessage<usage_error>(HasSubstr("serve.trace: there is no start point c9.0")));
}

} // namespace
} // namespace gaisnet
