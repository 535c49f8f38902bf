// What a session of one edge takes, and when it takes the same again.

#include "network/link_model.hpp"
#include "rounds/inference_ledger.hpp"
#include "support/lab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace gaisnet {
namespace {

scenario session_scenario() {
    auto scene = lab::small_scenario();
    scene.service = service_kind::inference;
    scene.infer.requests = 6;
    scene.infer.arrivals = arrival_kind::burst;
    scene.infer.batch = 1;
    return scene;
}

// Of a session of one edge nothing of the others is told, and nothing of it changes.
TEST(inference_ledger, rows_of_one_edge_are_those_of_all) {
    auto scene = session_scenario();
    scene.network.edges = 2;
    const auto deploy = lab::deploy(scene);
    std::vector<std::int64_t> requests(deploy.chains.size(), 0);
    requests.back() = 3;
    const auto plan = make_inference_plan(deploy, requests);
    const auto whole = inference_ledger(deploy).play(plan, 2, 5.0);
    const auto part = inference_ledger(deploy).play(plan, 2, 5.0, 1);
    ASSERT_EQ(part.requests.size(), 3U);
    EXPECT_EQ(part.requests.back().latency_s, whole.requests.back().latency_s);
    EXPECT_EQ(part.events.size(), whole.events.size());
    std::vector<const node_row*> of_edge;
    for (const auto& row : whole.nodes) {
        if (deploy.net.nodes[row.node].edge == 1) {
            of_edge.push_back(&row);
        } else {
            EXPECT_EQ(row.total_j(), 0.0) << "another edge's session takes it no time";
        }
    }
    ASSERT_EQ(part.nodes.size(), of_edge.size());
    EXPECT_LT(part.nodes.size(), whole.nodes.size());
    for (std::size_t i = 0; i < of_edge.size(); ++i) {
        EXPECT_EQ(part.nodes[i].node, of_edge[i]->node);
        EXPECT_EQ(part.nodes[i].total_j(), of_edge[i]->total_j());
        EXPECT_EQ(part.nodes[i].total_bytes, of_edge[i]->total_bytes);
    }
}

// Nothing but what is_constant() excludes may make a session depend on when it is played.
TEST(inference_ledger, sessions_over_constant_links_take_the_same_at_any_time) {
    auto scene = session_scenario();
    const auto all_constant = [](const scenario& of, const deployment& deploy) {
        const auto& links = deploy.net.links;
        return std::all_of(links.begin(), links.end(), [&](const network_link& link) {
            return is_constant({of, deploy.net, link});
        });
    };
    const auto deploy = lab::deploy(scene);
    ASSERT_TRUE(all_constant(scene, deploy));
    inference_ledger ledger(deploy);
    const auto plan = make_inference_plan(deploy);
    const auto first = ledger.play(plan, 1, 0.0), later = ledger.play(plan, 7, 1234.5);
    EXPECT_NEAR(later.end_s[0] - 1234.5, first.end_s[0], 1e-9);
    for (std::size_t i = 0; i < first.nodes.size(); ++i) {
        EXPECT_NEAR(later.nodes[i].total_j(), first.nodes[i].total_j(), 1e-9);
    }
    auto jittery = scene;
    jittery.link.d2d.jitter = distribution::of(1e-3);
    EXPECT_FALSE(all_constant(jittery, lab::deploy(jittery)));
    auto lossy = scene;
    lossy.link.cs_down.loss = 0.1;
    EXPECT_FALSE(all_constant(lossy, lab::deploy(lossy)));
}

} // namespace
} // namespace gaisnet
