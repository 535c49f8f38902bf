// Measured speeds in the ledger, and what they say about the time scale that ranks can keep.

#include "rounds/stage_speed.hpp"

#include "base/error.hpp"
#include "support/lab.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace gaisnet {
namespace {

/// The same speed for every shape of a deployment.
std::vector<stage_speed> all_at(const deployment& deploy, double flop_s) {
    std::set<std::string> shapes;
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            shapes.insert(shape_of(seat.spec));
        }
    }
    std::vector<stage_speed> speeds;
    for (const auto& shape : shapes) {
        speeds.push_back({shape, flop_s, flop_s, flop_s});
    }
    return speeds;
}

TEST(stage_speed, measured_speeds_take_the_place_of_the_device_s) {
    auto scene = lab::small_scenario();
    const auto by_rate = lab::deploy(scene);
    const double expected = ledger_run(by_rate).play(1).rounds[0].latency_s;
    scene.device.client.rate = distribution::of(7.0); // not used
    auto measured = lab::deploy(scene);
    use_speeds(measured, all_at(measured, 1e9));
    EXPECT_DOUBLE_EQ(ledger_run(measured).play(1).rounds[0].latency_s, expected);
    scene.device.client.factor = distribution::of(0.25);
    auto slower = lab::deploy(scene);
    use_speeds(slower, all_at(slower, 1e9));
    scene.device.client.rate = distribution::of(0.25e9);
    const auto same = lab::deploy(scene);
    EXPECT_DOUBLE_EQ(ledger_run(slower).play(1).rounds[0].latency_s, ledger_run(same).play(1).rounds[0].latency_s);
    auto speeds = all_at(slower, 1e9);
    speeds.pop_back();
    EXPECT_THROW(use_speeds(slower, speeds), runtime_failure);
}

TEST(stage_speed, survives_as_text) {
    const auto scene = lab::small_scenario();
    const auto deploy = lab::deploy(scene);
    auto speeds = all_at(deploy, 1.0 / 3.0);
    speeds[0].backward_flop_s = 0.1;
    const auto again = read_speeds(speeds_text(speeds));
    ASSERT_EQ(again.size(), speeds.size());
    for (std::size_t i = 0; i < speeds.size(); ++i) {
        EXPECT_EQ(again[i].shape, speeds[i].shape);
        EXPECT_EQ(again[i].forward_flop_s, speeds[i].forward_flop_s);
        EXPECT_EQ(again[i].backward_flop_s, speeds[i].backward_flop_s);
    }
    EXPECT_THROW(read_speeds("[[1]]"), usage_error);
}

TEST(stage_speed, the_smallest_time_scale_is_how_much_slower_the_ranks_are) {
    // Links take no time, so nothing but computing counts: a computer that is k times as fast as a device needs a k-th of
    // the time. One that plays n clusters side by side needs n times as long, and more where the short computation of
    // one waits for the long one of another.
    for (const int clusters : {1, 3}) {
        auto scene = lab::small_scenario();
        scene.network.clusters = clusters;
        scene.sense.time = 0.0;
        for (auto* link : {&scene.link.cs_up, &scene.link.cs_down, &scene.link.d2d}) {
            link->rate = distribution::of(1e15);
            link->latency = distribution::of(0.0);
        }
        const auto deploy = lab::deploy(scene);
        const auto round = ledger_run(deploy).play(1);
        const std::vector<int> one_rank(deploy.net.nodes.size(), 0);
        for (const double speed : {1e9, 4e9}) {
            const double expected = clusters * 1e9 / speed;
            const double found = smallest_time_scale(deploy, one_rank, round, all_at(deploy, speed));
            if (clusters == 1) {
                EXPECT_NEAR(found, expected, 0.03 * expected);
            } else {
                EXPECT_GE(found, 0.97 * expected);
                EXPECT_LT(smallest_time_scale(deploy, one_rank, round, all_at(deploy, speed), 0.01), found);
            }
        }
        std::vector<int> spread;
        for (const auto& node : deploy.net.nodes) {
            spread.push_back(std::max(0, node.cluster));
        }
        EXPECT_NEAR(smallest_time_scale(deploy, spread, round, all_at(deploy, 1e9)), 1.0, 0.03);
    }
}

} // namespace
} // namespace gaisnet
