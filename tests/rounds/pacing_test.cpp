// The real clock: what is received may be used only when its emulated time has come, on any number of ranks, and nothing
// else changes.

#include "runtime/pacer.hpp"
#include "support/lab.hpp"
#include "transport/loopback.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace gaisnet {
namespace {

using lab::run_hfsl;

/// Rounds of about a third of a second, whose computations the machine does in a fraction of that.
scenario slow_network() {
    auto scene = lab::small_scenario();
    scene.clock = clock_kind::real;
    scene.runtime.active_clusters = 2;
    scene.link.d2d.latency = distribution::of(10e-3);
    return scene;
}

TEST(pacing, rounds_take_their_emulated_time_on_any_number_of_ranks) {
    auto scene = slow_network();
    auto fast = scene;
    fast.clock = clock_kind::virtual_time;
    const auto expected = run_hfsl(fast, {.rounds = 2});
    EXPECT_TRUE(expected.late.empty() || expected.late[0].empty());
    for (const int ranks : {1, 2, 3}) {
        for (const double scale : {1.0, 0.5}) {
            scene.time_scale = scale;
            scene.placement = ranks == 3 ? "node" : "auto";
            const auto paced = run_hfsl(scene, {.ranks = ranks, .rounds = 2});
            EXPECT_EQ(paced.models, expected.models) << "values do not depend on the clock";
            ASSERT_EQ(paced.took_s.size(), 2U);
            for (std::size_t round = 0; round < 2; ++round) {
                const auto& row = paced.rounds[round].rounds[0];
                // The pass ends with the last average; what the edge computes after it takes no message.
                EXPECT_GE(paced.took_s[round], scale * (row.latency_s - row.parts["edge"]) - 1e-6) << ranks;
                EXPECT_GE(row.latency_s, 0.1);
            }
        }
    }
}

TEST(pacing, nothing_is_used_before_its_time_and_lateness_is_explained) {
    const auto paced = run_hfsl(slow_network(), {.ranks = 2, .rounds = 1});
    ASSERT_EQ(paced.late.size(), 1U);
    const auto& decisions = paced.rounds[0].decisions;
    std::size_t expected = 0;
    for (const auto& [route, times] : decisions.arrivals) {
        expected += times.size();
        EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
    }
    EXPECT_EQ(paced.late[0].size(), expected) << "every message of the round";
    for (const auto& one : paced.late[0]) {
        EXPECT_GE(one.late_s, 0.0);
        EXPECT_GE(one.upstream_s, 0.0);
        EXPECT_GE(one.own_compute_s, 0.0);
        EXPECT_GE(one.neighbour_s, 0.0);
        EXPECT_GE(one.timer_s, -1e-9);
        EXPECT_NEAR(one.late_s, one.upstream_s + one.own_compute_s + one.neighbour_s + one.timer_s, 1e-9);
    }
}

TEST(pacing, decisions_survive_being_sent) {
    auto scene = slow_network();
    scene.network.clients = {3};
    scene.dropout.policy = dropout_policy::repair;
    scene.dropout.schedule = {{"c0.1", 1.4}};
    const auto deploy = lab::deploy(scene);
    const auto sent = ledger_run(deploy).play(1).decisions;
    EXPECT_FALSE(sent.arrivals.empty());
    EXPECT_FALSE(sent.fates[0].takeovers.empty());
    byte_writer out;
    out.put(sent);
    const auto bytes = out.take();
    byte_reader in(bytes);
    const auto got = in.get<round_decisions>();
    EXPECT_EQ(got.arrivals, sent.arrivals);
    EXPECT_EQ(got.closes, sent.closes);
    EXPECT_EQ(got.latency_s, sent.latency_s);
    EXPECT_EQ(got.fates, sent.fates);
}

TEST(pacing, a_wait_ends_when_it_should) {
    const pacer clock(1.0, /*may_spin=*/true);
    const auto start = pacer::clock::now();
    clock.wait_until(start + std::chrono::milliseconds(5), std::chrono::seconds(1));
    EXPECT_GE(pacer::clock::now() - start, std::chrono::milliseconds(5));
    const auto again = pacer::clock::now();
    clock.wait_until(again + std::chrono::hours(1), std::chrono::milliseconds(3));
    EXPECT_GE(pacer::clock::now() - again, std::chrono::milliseconds(3));
    EXPECT_LT(pacer::clock::now() - again, std::chrono::minutes(1));
}

TEST(pacing, clocks_of_other_hosts_are_found_by_round_trips) {
    // The clock of host b is 100 s ahead; rank 1 is on the host of rank 0, so nobody asks for its clock.
    auto world = loopback_world(3);
    std::vector<double> offsets(3);
    {
        std::vector<std::jthread> threads;
        for (std::size_t rank = 0; rank < 3; ++rank) {
            threads.emplace_back([&, rank] {
                const auto ahead = std::chrono::seconds(rank == 2 ? 100 : 0);
                const auto offset =
                    clock_offset(*world[rank], rank == 2 ? "b" : "a", [ahead] { return pacer::clock::now() + ahead; });
                offsets[rank] = std::chrono::duration<double>(offset).count();
            });
        }
    }
    EXPECT_EQ(offsets[0], 0.0);
    EXPECT_EQ(offsets[1], 0.0) << "on the host of rank 0";
    EXPECT_NEAR(offsets[2], -100.0, 1.0);
}

} // namespace
} // namespace gaisnet
