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
        EXPECT_THAT(place_nodes({network(2, 2, 3), 1}, kind), Each(0));
    }
}

// The edge sits with its first cluster.
TEST(placement, clusters_stay_together) {
    const auto net = network(1, 3, 2);
    EXPECT_THAT(place_nodes({net, 2}, "cluster"), ElementsAre(0, 0, 0, 0, 0, 1, 1));
    EXPECT_THAT(place_nodes({net, 3}, "cluster"), ElementsAre(0, 0, 0, 1, 1, 2, 2));
}

TEST(placement, every_edge_sits_with_its_first_cluster) {
    EXPECT_THAT(place_nodes({network(2, 2, 1), 4}, "cluster"), ElementsAre(0, 2, 0, 1, 2, 3));
}

TEST(placement, clusters_are_shared_out_evenly) {
    const auto net = network(1, 10, 3);
    for (int ranks = 1; ranks <= 10; ++ranks) {
        const auto rank_of = place_nodes({net, ranks}, "cluster");
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

TEST(placement, chains_are_cut_into_pieces) {
    const auto net = network(1, 2, 3);
    EXPECT_THAT(place_nodes({net, 3}, "node"), ElementsAre(0, 0, 1, 2, 0, 1, 2));
    EXPECT_THAT(place_nodes({net, 7}, "node"), ElementsAre(0, 1, 2, 3, 4, 5, 6)) << "all in one row";
}

// Nodes: the edge, then two chains of four. A start point with the embedding and an end point with the head have little to
// do.
TEST(placement, pieces_of_a_chain_have_equal_work) {
    const auto net = network(1, 2, 4);
    const std::vector<double> ends_are_light{0, 1, 50, 50, 1, 1, 50, 50, 1};
    EXPECT_THAT(place_nodes({net, 2, ends_are_light}, "node"), ElementsAre(0, 0, 0, 1, 1, 0, 0, 1, 1));
    const std::vector<double> the_first_is_heavy{0, 90, 10, 10, 10, 90, 10, 10, 10};
    EXPECT_THAT(place_nodes({net, 2, the_first_is_heavy}, "node"), ElementsAre(0, 0, 1, 1, 1, 0, 1, 1, 1));
    const std::vector<double> clusters_differ{0, 30, 30, 30, 30, 1, 1, 1, 1};
    EXPECT_THAT(place_nodes({net, 2, clusters_differ}, "cluster"), ElementsAre(0, 0, 0, 0, 0, 1, 1, 1, 1));
    const std::vector<double> nothing(9, 0.0);
    EXPECT_THAT(place_nodes({net, 4, nothing}, "node"), ElementsAre(0, 0, 1, 2, 3, 0, 1, 2, 3));
}

TEST(placement, every_rank_gets_work_whatever_it_weighs) {
    for (int heavy = 1; heavy <= 8; ++heavy) {
        std::vector<double> work(9, 1e-6);
        work[static_cast<std::size_t>(heavy)] = 1e6;
        for (int ranks = 1; ranks <= 9; ++ranks) {
            const auto rank_of = place_nodes({network(1, 2, 4), ranks, work}, "node");
            EXPECT_EQ(std::set<int>(rank_of.begin(), rank_of.end()).size(), static_cast<std::size_t>(ranks)) << heavy;
        }
    }
}

TEST(placement, clusters_that_compute_together_have_their_nodes_on_the_same_ranks) {
    const auto net = network(1, 4, 2);
    const std::vector<int> pairs{0, 0, 2, 2};
    EXPECT_THAT(place_nodes({net, 2, {}, pairs}, "cluster"), ElementsAre(0, 0, 0, 0, 0, 1, 1, 1, 1));
    EXPECT_THAT(place_nodes({net, 2, {}, pairs}, "node"), ElementsAre(0, 0, 1, 0, 1, 0, 1, 0, 1));
    EXPECT_THAT(
        [&] {
            place_nodes({net, 3, {}, pairs}, "cluster");
        },
        ThrowsMessage<usage_error>(AllOf(HasSubstr("4 clusters, which compute in 2 groups (runtime.fuse)"),
                                         HasSubstr("at most 2 ranks"), HasSubstr("runtime.fuse = off"))));
    EXPECT_THAT(
        [&] {
            place_nodes({net, 9, {}, pairs}, "node");
        },
        ThrowsMessage<usage_error>(AllOf(HasSubstr("at most 5 ranks"), HasSubstr("runtime.fuse = off allows 9"))));
    EXPECT_THAT(place_nodes({net, 5, {}, pairs}, "node"), ElementsAre(0, 1, 2, 1, 2, 3, 4, 3, 4));
    // Clusters between them that are others keep their places.
    EXPECT_THAT(place_nodes({net, 2, {}, {0, 1, 0, 1}}, "cluster"), ElementsAre(0, 0, 0, 1, 1, 0, 0, 1, 1));
}

TEST(placement, automatic_splits_clusters_only_when_ranks_outnumber_them) {
    const auto net = network(1, 2, 3);
    EXPECT_EQ(place_nodes({net, 2}, "auto"), place_nodes({net, 2}, "cluster"));
    EXPECT_EQ(place_nodes({net, 3}, "auto"), place_nodes({net, 3}, "node"));
}

TEST(placement, too_many_ranks_are_told_how_many_can_be_used) {
    const auto net = network(1, 2, 3);
    for (const auto kind : {"auto", "cluster", "node"}) {
        EXPECT_THAT(
            [&] {
                place_nodes({net, 8}, kind);
            },
            ThrowsMessage<usage_error>(AllOf(HasSubstr("8 ranks"), HasSubstr("at most 7 ranks"))));
    }
    EXPECT_THAT(
        [&] {
            place_nodes({net, 3}, "cluster");
        },
        ThrowsMessage<usage_error>(AllOf(HasSubstr("placement = cluster"), HasSubstr("3 ranks"),
                                         HasSubstr("at most 2 ranks"), HasSubstr("7 with placement = node"))));
}

} // namespace
} // namespace gaisnet
