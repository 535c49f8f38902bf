#include "runtime/placement.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Nodes and clusters without devices and links, which placement does not look at.
topology network(int edges, int clusters, int clients) {
    topology net;
    net.edges = edges;
    for (int edge = 0; edge < edges; ++edge) {
        net.nodes.push_back({"edge" + std::to_string(edge), node_role::edge, edge, -1, -1, {}});
    }
    for (int c = 0; c < edges * clusters; ++c) {
        cluster group{"c" + std::to_string(c), c / clusters, 0, {}, {}};
        for (int member = 0; member < clients; ++member) {
            group.clients.push_back(static_cast<std::uint32_t>(net.nodes.size()));
            net.nodes.push_back(
                {group.name + "." + std::to_string(member), node_role::client, group.edge, c, member, {}});
        }
        net.clusters.push_back(std::move(group));
    }
    return net;
}

TEST(placement, one_rank_plays_everyone) {
    for (const auto kind : {"auto", "cluster", "node"}) {
        EXPECT_THAT(place_nodes(network(2, 2, 3), kind, 1), Each(0));
    }
}

// The edge sits with its first cluster.
TEST(placement, clusters_stay_together) {
    const auto net = network(1, 3, 2);
    EXPECT_THAT(place_nodes(net, "cluster", 2), ElementsAre(0, 0, 0, 0, 0, 1, 1));
    EXPECT_THAT(place_nodes(net, "cluster", 3), ElementsAre(0, 0, 0, 1, 1, 2, 2));
}

TEST(placement, every_edge_sits_with_its_first_cluster) {
    EXPECT_THAT(place_nodes(network(2, 2, 1), "cluster", 4), ElementsAre(0, 2, 0, 1, 2, 3));
}

TEST(placement, clusters_are_shared_out_evenly) {
    const auto net = network(1, 10, 3);
    for (int ranks = 1; ranks <= 10; ++ranks) {
        const auto rank_of = place_nodes(net, "cluster", ranks);
        std::vector<int> clusters(static_cast<std::size_t>(ranks), 0);
        for (const auto& group : net.clusters) {
            std::set<int> used;
            for (const auto client : group.clients) {
                used.insert(rank_of[client]);
            }
            ASSERT_EQ(used.size(), 1U) << group.name;
            ++clusters.at(static_cast<std::size_t>(*used.begin()));
        }
        const auto [least, most] = std::minmax_element(clusters.begin(), clusters.end());
        EXPECT_GE(*least, 1) << ranks;
        EXPECT_LE(*most - *least, 1) << ranks;
    }
}

TEST(placement, nodes_are_dealt_out_one_by_one) {
    const auto net = network(1, 2, 3);
    EXPECT_THAT(place_nodes(net, "node", 3), ElementsAre(0, 1, 2, 0, 1, 2, 0));
    EXPECT_THAT(place_nodes(net, "node", 7), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(placement, automatic_splits_clusters_only_when_ranks_outnumber_them) {
    const auto net = network(1, 2, 3);
    EXPECT_EQ(place_nodes(net, "auto", 2), place_nodes(net, "cluster", 2));
    EXPECT_EQ(place_nodes(net, "auto", 3), place_nodes(net, "node", 3));
}

TEST(placement, too_many_ranks_are_told_how_many_can_be_used) {
    const auto net = network(1, 2, 3);
    for (const auto kind : {"auto", "cluster", "node"}) {
        EXPECT_THAT([&] { place_nodes(net, kind, 8); },
                    ThrowsMessage<usage_error>(AllOf(HasSubstr("8 ranks"), HasSubstr("at most 7 ranks"))));
    }
    EXPECT_THAT([&] { place_nodes(net, "cluster", 3); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("placement = cluster"), HasSubstr("3 ranks"),
                                                 HasSubstr("at most 2 ranks"), HasSubstr("7 with placement = node"))));
}

} // namespace
} // namespace gaisnet
