// What a forecast says agrees with the ledger.

#include "planning/forecast.hpp"
#include "rounds/ledger_run.hpp"
#include "support/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace gaisnet {
namespace {

TEST(forecast, bottleneck_and_halved_figures_agree_with_the_ledger) {
    auto scene = lab::small_scenario();
    scene.link.d2d.rate = distribution::of(1e6);
    const auto deploy = lab::deploy(scene);
    ledger_run ledger(deploy);
    forecaster sums(deploy);
    double latency = 0, energy = 0;
    for (int round = 1; round <= 2; ++round) {
        const auto played = ledger.play(round);
        latency += played.rounds[0].latency_s;
        energy += played.rounds[0].energy.total_j();
        sums.add(played);
    }
    const auto found = sums.take();
    double critical = found.waiting_s, of_nodes = 0, of_resources = 0;
    for (const auto* uses : {&found.devices, &found.links}) {
        for (const auto& use : *uses) {
            critical += use.critical_s;
            of_resources += use.energy_j;
        }
    }
    for (const auto& node : found.nodes) {
        of_nodes += node.active_j();
    }
    EXPECT_NEAR(critical, latency, 1e-9 * latency) << "the parts of devices and links make the latency";
    EXPECT_NEAR(of_resources, of_nodes, 1e-9 * of_nodes);
    EXPECT_THAT(
        bottleneck(deploy, found),
        testing::MatchesRegex("d2d c[01]\\.. -> c[01]\\.. takes [0-9]+ % of the round: .* Mbit/s|d2d .* kbit/s"));
    auto halved = scene;
    halved.link.d2d.rate = distribution::of(0.5e6);
    const auto slower = lab::deploy(halved);
    ledger_run again(slower);
    const double expected = again.play(1).rounds[0].latency_s + again.play(2).rounds[0].latency_s;
    const auto all = halve_each(deploy, 2);
    const auto d2d = std::find_if(all.begin(), all.end(), [](const auto& one) { return one.name == "link.d2d.rate"; });
    ASSERT_NE(d2d, all.end());
    EXPECT_NEAR(d2d->latency_s, expected, 1e-9 * expected);
    EXPECT_TRUE(std::none_of(all.begin(), all.end(), [](const auto& one) { return one.name == "link.backhaul.rate"; }));
}

TEST(forecast, varies_quantities_over_all_rounds_of_small_runs_and_two_of_large_ones) {
    EXPECT_EQ(rounds_to_vary(1'000, 20), 20);
    EXPECT_EQ(rounds_to_vary(5'000'000, 20), 2);
    EXPECT_EQ(rounds_to_vary(20'000'000, 200), 5);
    EXPECT_EQ(rounds_to_vary(50'000'000, 1), 1);
    EXPECT_EQ(rounds_to_vary(0, 3), 3);
    EXPECT_EQ(rounds_to_vary(50'000'000, 20, 5), 5) << "a federation is among them";
    EXPECT_EQ(rounds_to_vary(50'000'000, 4, 5), 4);
}

} // namespace
} // namespace gaisnet
