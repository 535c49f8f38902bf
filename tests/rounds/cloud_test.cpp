// The cloud tier: what is averaged over edges, when, and what it costs.

#include "support/lab.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gaisnet {
namespace {

using lab::expect_sums_agree;
using lab::run_hfsl;

/// Two edges of two clusters; the second edge's clients are slower.
scenario two_edges(int period) {
    auto scene = lab::small_scenario();
    scene.network.edges = 2;
    scene.cloud.period = period;
    scene.link.backhaul.rate = distribution::of(10e6);
    scene.link.backhaul.latency = distribution::of(10e-3);
    for (const char* name : {"e1.c0.1", "e1.c1.1"}) {
        node_override slow;
        slow.name = name;
        slow.rate = 5e8;
        scene.network.overrides.nodes.push_back(slow);
    }
    return scene;
}

TEST(cloud, averages_what_edges_share_by_their_samples_and_leaves_their_heads) {
    const std::vector<std::int64_t> samples{12, 12, 4, 8};
    const auto apart = run_hfsl(two_edges(0), {.samples = samples});
    const auto together = run_hfsl(two_edges(1), {.ranks = 2, .samples = samples});
    const auto deploy = lab::deploy(two_edges(1), samples);
    const auto shared = static_cast<std::size_t>(deploy.domain_of(0).shared_elements);
    ASSERT_EQ(shared, 4U * 3 * 24);
    const auto& a = apart.models[0];
    const auto& b = apart.models[1];
    double largest = 0, changed = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double mean = (24.0 * static_cast<double>(a[i]) + 12.0 * static_cast<double>(b[i])) / 36.0;
        for (std::size_t edge = 0; edge < 2; ++edge) {
            const double expected = i < shared ? mean : static_cast<double>(apart.models[edge][i]);
            largest = std::max(largest, std::abs(static_cast<double>(together.models[edge][i]) - expected));
        }
        changed = std::max(changed, static_cast<double>(std::abs(a[i] - b[i])));
    }
    EXPECT_LT(largest, 1e-7);
    EXPECT_GT(changed, 1e-3);
}

TEST(cloud, each_edge_joins_when_it_is_ready_and_goes_on_with_the_average) {
    const auto scene = two_edges(2);
    const auto apart_scene = two_edges(0);
    const auto deploy = lab::deploy(scene), deploy_apart = lab::deploy(apart_scene);
    ledger_run ledger(deploy), alone(deploy_apart);
    const auto first = ledger.play(1);
    EXPECT_FALSE(first.federation) << "every second round";
    EXPECT_EQ(first.rounds[0].parts["cloud"], 0.0);
    const auto second = ledger.play(2);
    alone.play(1);
    alone.play(2);
    ASSERT_TRUE(second.federation);
    const auto bytes = static_cast<double>(deploy.domain_of(0).shared_elements) * 4;
    const double hop = 8 * bytes / 10e6 + 10e-3;
    const double merge = 2.0 * 2 * bytes / 4 / deploy.net.nodes[*deploy.net.cloud].device.rate_flop_s;
    const double last = *std::max_element(alone.clocks().begin(), alone.clocks().end());
    EXPECT_GT(last, alone.clocks()[0]) << "the second edge is slower";
    for (std::size_t edge = 0; edge < 2; ++edge) {
        const double end = last + hop + merge + hop;
        EXPECT_NEAR(ledger.clocks()[edge], end, 1e-9 * end);
        EXPECT_NEAR(second.rounds[edge].parts["cloud"], end - alone.clocks()[edge], 1e-9);
        EXPECT_NEAR(second.rounds[edge].end_s, end, 1e-9 * end);
        EXPECT_EQ(second.rounds[edge].bytes[static_cast<std::size_t>(link_class::backhaul)],
                  static_cast<std::uint64_t>(2 * bytes));
    }
    EXPECT_NEAR(second.federation->start_s, alone.clocks()[0], 1e-12);
    EXPECT_NEAR(second.federation->waited_s, last - alone.clocks()[0], 1e-12);
    const double base = 0.25 * second.federation->end_s;
    EXPECT_NEAR(second.nodes.back().base_j, base, 1e-9) << "the cloud is on from the start";
    expect_sums_agree(first);
    expect_sums_agree(second);
}

TEST(cloud, edges_share_the_backhaul) {
    auto scene = two_edges(1);
    scene.network.overrides.nodes.clear(); // both are ready at the same time
    scene.link.backhaul.latency = distribution::of(0.0);
    const auto alone = lab::deploy(scene);
    scene.link.backhaul.share = share_kind::equal;
    const auto shared = lab::deploy(scene);
    const auto private_links = ledger_run(alone).play(1), one_medium = ledger_run(shared).play(1);
    const double send = 8 * 4 * static_cast<double>(alone.domain_of(0).shared_elements) / 10e6;
    EXPECT_NEAR(one_medium.rounds[0].parts["cloud"] - private_links.rounds[0].parts["cloud"], 2 * send, 1e-9)
        << "both ways take twice as long";
    expect_sums_agree(one_medium);
}

TEST(cloud, is_the_same_on_any_number_of_ranks_and_after_a_restart) {
    auto scene = two_edges(2);
    scene.train.rounds = 3;
    const auto run = lab::expect_same_everywhere(scene, "cloud");
    const auto shared = lab::deploy(scene).domain_of(0).shared_elements;
    const auto begins_alike = [&](std::size_t round) {
        return std::equal(run.models[2 * round].begin(), run.models[2 * round].begin() + shared,
                          run.models[2 * round + 1].begin());
    };
    EXPECT_FALSE(begins_alike(0));
    EXPECT_TRUE(begins_alike(1));
    EXPECT_FALSE(begins_alike(2));
}

} // namespace
} // namespace gaisnet
