#include "network/population.hpp"
#include "network/splitting.hpp"
#include "network/topology.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// 12 blocks; one edge with two clusters of four clients; figures by which classes of links can be told apart.
scenario twelve_blocks() {
    scenario scene;
    scene.model.depth = 12;
    scene.network.clusters = 2;
    const auto set = [](link_settings& link, double rate, double latency, double band) {
        link.rate = distribution::of(rate);
        link.latency = distribution::of(latency);
        link.bandwidth = distribution::of(band);
    };
    set(scene.link.cs_up, 100e6, 5e-3, 20e6);
    set(scene.link.cs_down, 200e6, 6e-3, 30e6);
    set(scene.link.d2d, 50e6, 2e-3, 12e6);
    set(scene.link.backhaul, 1e9, 1e-2, 100e6);
    for (auto* device : {&scene.device.cloud, &scene.device.edge, &scene.device.client}) {
        device->rate = distribution::of(1e12);
        device->power = distribution::of(10);
        device->tx_power = distribution::of(0.2);
        device->rx_power = distribution::of(0.9);
        device->idle_power = distribution::of(0.8);
        device->memory = distribution::of(4e9);
    }
    scene.sense.time = 1e-3;
    scene.sense.energy = 2e-3;
    return scene;
}

/// What a stage is, in one word: "c0.1 0+6", the embedding with E before, the head with H behind.
std::vector<std::string> describe(const topology& net, const cluster& group) {
    std::vector<std::string> out;
    for (const auto& stage : group.chain) {
        out.push_back(net.nodes[stage.node].name + " " + (stage.embedding ? "E" : "") +
                      std::to_string(stage.first_block) + "+" + std::to_string(stage.blocks) + (stage.head ? "H" : ""));
    }
    return out;
}

std::map<std::string, network_link> links_of(const topology& net, link_class kind) {
    std::map<std::string, network_link> out;
    for (const auto& link : net.links) {
        if (link.parameters.kind == kind) {
            const bool fresh =
                out.emplace(net.nodes[link.parameters.from].name + ">" + net.nodes[link.parameters.to].name, link)
                    .second;
            EXPECT_TRUE(fresh) << "a link stands twice";
        }
    }
    return out;
}

template <typename Map>
std::vector<std::string> keys_of(const Map& map) {
    std::vector<std::string> out;
    for (const auto& [key, value] : map) {
        out.push_back(key);
    }
    return out;
}

TEST(even_split, ends_of_a_long_chain_hold_embedding_and_head) {
    EXPECT_THAT(even_split(12, 4), ElementsAre(0, 6, 6, 0));
    EXPECT_THAT(even_split(12, 3), ElementsAre(0, 12, 0));
    EXPECT_THAT(even_split(12, 5), ElementsAre(0, 4, 4, 4, 0));
    EXPECT_THAT(even_split(12, 7), ElementsAre(0, 3, 3, 2, 2, 2, 0)); // what is left goes to the first ones
}

TEST(even_split, chains_of_one_and_two_share_everything) {
    EXPECT_THAT(even_split(12, 1), ElementsAre(12));
    EXPECT_THAT(even_split(12, 2), ElementsAre(6, 6));
    EXPECT_THAT(even_split(5, 2), ElementsAre(3, 2));
}

TEST(even_split, without_the_head_the_last_one_works_too) {
    EXPECT_THAT(even_split(12, 4, false), ElementsAre(0, 4, 4, 4));
    EXPECT_THAT(even_split(12, 3, false), ElementsAre(0, 6, 6));
    EXPECT_THAT(even_split(12, 2, false), ElementsAre(6, 6));
}

TEST(even_split, more_members_than_blocks) {
    EXPECT_THAT(even_split(2, 6), ElementsAre(0, 1, 1, 0, 0, 0));
    for (int depth = 1; depth <= 13; ++depth) {
        for (int members = 1; members <= 9; ++members) {
            for (const bool head : {true, false}) {
                const auto blocks = even_split(depth, members, head);
                EXPECT_EQ(blocks.size(), static_cast<std::size_t>(members));
                EXPECT_EQ(std::accumulate(blocks.begin(), blocks.end(), 0), depth) << depth << " over " << members;
            }
        }
    }
}

TEST(topology, edges_come_first_then_clients_in_chain_order) {
    auto scene = twelve_blocks();
    const auto net = make_topology(scene);
    std::vector<std::string> names;
    for (const auto& one : net.nodes) {
        names.push_back(one.name);
    }
    EXPECT_THAT(names, ElementsAre("edge0", "c0.0", "c0.1", "c0.2", "c0.3", "c1.0", "c1.1", "c1.2", "c1.3"));
    EXPECT_EQ(net.nodes[0].role, node_role::edge);
    EXPECT_EQ(net.nodes[0].cluster, -1);
    EXPECT_EQ(net.nodes[7].role, node_role::client);
    EXPECT_EQ(net.nodes[7].cluster, 1);
    EXPECT_EQ(net.nodes[7].member, 2);
    EXPECT_THAT(net.clusters[1].clients, ElementsAre(5, 6, 7, 8));
    EXPECT_THAT(describe(net, net.clusters[1]), ElementsAre("c1.0 E0+0", "c1.1 0+6", "c1.2 6+6", "c1.3 12+0H"));
    EXPECT_DOUBLE_EQ(net.nodes[7].device.sense_time_s, 1e-3);
    EXPECT_DOUBLE_EQ(net.nodes[7].device.sense_energy_j, 2e-3);
    EXPECT_EQ(net.nodes[7].device.memory_bytes, 4'000'000'000U);
}

TEST(topology, several_edges_have_clusters_of_their_own) {
    auto scene = twelve_blocks();
    scene.network.edges = 2;
    scene.network.clients = {2, 1};
    const auto net = make_topology(scene);
    ASSERT_EQ(net.clusters.size(), 4U);
    EXPECT_EQ(net.clusters[3].name, "e1.c1");
    EXPECT_EQ(net.clusters[3].edge, 1);
    EXPECT_EQ(net.nodes[1].name, "edge1");
    EXPECT_EQ(net.nodes[net.clusters[2].clients[1]].name, "e1.c0.1");
    EXPECT_EQ(net.nodes[net.clusters[3].clients[0]].cluster, 3);
    for (const auto& link : net.links) {
        EXPECT_EQ(net.nodes[link.parameters.from].edge, net.nodes[link.parameters.to].edge);
    }
}

TEST(topology, chains_of_one_and_two) {
    auto scene = twelve_blocks();
    scene.network.clients = {1, 2};
    const auto net = make_topology(scene);
    EXPECT_THAT(describe(net, net.clusters[0]), ElementsAre("c0.0 E0+12H"));
    EXPECT_THAT(describe(net, net.clusters[1]), ElementsAre("c1.0 E0+6", "c1.1 6+6H"));
}

TEST(topology, given_cuts_by_cluster) {
    auto scene = twelve_blocks();
    scene.network.clients = {4, 3};
    scene.split.blocks = {{1, 2, 3, 6}, {12, 0, 0}};
    const auto net = make_topology(scene);
    EXPECT_THAT(describe(net, net.clusters[0]), ElementsAre("c0.0 E0+1", "c0.1 1+2", "c0.2 3+3", "c0.3 6+6H"));
    // Who holds nothing takes no part, but stays a node.
    EXPECT_THAT(describe(net, net.clusters[1]), ElementsAre("c1.0 E0+12", "c1.2 12+0H"));
    EXPECT_EQ(net.clusters[1].clients.size(), 3U);
    scene.split.blocks = {{0, 6, 6, 0}};
    EXPECT_THAT([&] { make_topology(scene); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("cluster c1 has 3 stages"), HasSubstr("4 counts"))));
    scene.network.clients = {4};
    scene.split.blocks = {{0, 6, 5, 0}};
    EXPECT_THAT([&] { make_topology(scene); }, ThrowsMessage<usage_error>(HasSubstr("sum 11")));
}

// U-shape: labels stay at the start point, so the head comes back to it and the last client holds blocks instead.
TEST(topology, labels_kept_local_bring_the_head_back) {
    auto scene = twelve_blocks();
    scene.train.labels = label_route::local;
    scene.network.clients = {4, 2};
    const auto net = make_topology(scene);
    EXPECT_THAT(describe(net, net.clusters[0]),
                ElementsAre("c0.0 E0+0", "c0.1 0+4", "c0.2 4+4", "c0.3 8+4", "c0.0 12+0H"));
    EXPECT_THAT(describe(net, net.clusters[1]), ElementsAre("c1.0 E0+6", "c1.1 6+6", "c1.0 12+0H"));
    const auto d2d = links_of(net, link_class::d2d);
    EXPECT_TRUE(d2d.contains("c0.3>c0.0") && d2d.contains("c0.0>c0.3"));
    EXPECT_EQ(d2d.size(), 8U + 2U); // a ring of four, both ways; two neighbours, both ways, though used twice
    scene.network.clients = {1};
    const auto alone = make_topology(scene);
    EXPECT_THAT(describe(alone, alone.clusters[0]), ElementsAre("c0.0 E0+12H"));
}

TEST(topology, edge_is_one_stage_of_every_chain) {
    auto scene = twelve_blocks();
    scene.network.clients = {3};
    scene.cluster.edge_stage = 2;
    const auto net = make_topology(scene);
    EXPECT_THAT(describe(net, net.clusters[0]), ElementsAre("c0.0 E0+0", "edge0 0+6", "c0.1 6+6", "c0.2 12+0H"));
    EXPECT_THAT(describe(net, net.clusters[1]), ElementsAre("c1.0 E0+0", "edge0 0+6", "c1.1 6+6", "c1.2 12+0H"));
    // Its smashed data takes cs_up and cs_down: only c0.1 and c0.2 are neighbours in the air.
    EXPECT_THAT(keys_of(links_of(net, link_class::d2d)),
                ElementsAre("c0.1>c0.2", "c0.2>c0.1", "c1.1>c1.2", "c1.2>c1.1"));
    EXPECT_EQ(links_of(net, link_class::cs_up).size(), 6U);
    scene.cluster.edge_stage = 4; // behind the last client
    EXPECT_THAT(describe(make_topology(scene), make_topology(scene).clusters[0]),
                ElementsAre("c0.0 E0+0", "c0.1 0+6", "c0.2 6+6", "edge0 12+0H"));
    scene.cluster.edge_stage = 5;
    EXPECT_THAT([&] { make_topology(scene); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("cluster.edge_stage = 5"), HasSubstr("2 to 4"))));
    scene.cluster.edge_stage = 2;
    scene.network.clients = {1};
    const auto pair = make_topology(scene);
    EXPECT_THAT(describe(pair, pair.clusters[0]), ElementsAre("c0.0 E0+6", "edge0 6+6H"));
    EXPECT_TRUE(links_of(pair, link_class::d2d).empty());
}

TEST(topology, every_client_has_a_link_to_its_edge_and_back) {
    const auto net = make_topology(twelve_blocks());
    const auto up = links_of(net, link_class::cs_up), down = links_of(net, link_class::cs_down);
    EXPECT_EQ(up.size(), 8U);
    EXPECT_EQ(down.size(), 8U);
    EXPECT_EQ(up.at("c1.3>edge0").rate_bit_s, 100e6);
    EXPECT_EQ(up.at("c1.3>edge0").parameters.bandwidth_hz, 20e6);
    EXPECT_EQ(down.at("edge0>c1.3").rate_bit_s, 200e6);
    EXPECT_EQ(down.at("edge0>c1.3").parameters.latency_s, 6e-3);
    EXPECT_EQ(down.at("edge0>c1.3").parameters.bandwidth_hz, 30e6);
}

/// D2D by radio, far from every limit.
scenario with_radio() {
    auto scene = twelve_blocks();
    radio_settings radio;
    radio.loss = *registry<path_loss_model>::find("free_space");
    radio.frequency_hz = 2e9;
    scene.link.d2d.radio = radio;
    return scene;
}

// 12 MHz over 2 clusters is 6 MHz each; a chain of 4 has 3 hops, 6 directed ones: 1 MHz. A chain of 3 has 4: 1.5 MHz.
TEST(topology, d2d_band_is_divided_over_clusters_and_directed_hops) {
    auto scene = with_radio();
    scene.network.clients = {4, 3};
    const auto d2d = links_of(make_topology(scene), link_class::d2d);
    EXPECT_THAT(keys_of(d2d), ElementsAre("c0.0>c0.1", "c0.1>c0.0", "c0.1>c0.2", "c0.2>c0.1", "c0.2>c0.3", "c0.3>c0.2",
                                          "c1.0>c1.1", "c1.1>c1.0", "c1.1>c1.2", "c1.2>c1.1"));
    double sum = 0;
    for (const auto& [name, link] : d2d) {
        EXPECT_DOUBLE_EQ(link.parameters.bandwidth_hz, name.starts_with("c0") ? 1e6 : 1.5e6) << name;
        sum += link.parameters.bandwidth_hz;
    }
    EXPECT_DOUBLE_EQ(sum, 12e6);
}

TEST(topology, hops_that_carry_nothing_have_no_part_of_the_band) {
    auto scene = with_radio();
    scene.network.clusters = 1;
    const auto band_of = [&](const std::vector<bool>& backward) {
        const auto net = make_topology(scene, [&](const cluster&) { return backward; });
        EXPECT_EQ(links_of(net, link_class::d2d).size(), 6U) << "they exist all the same";
        return links_of(net, link_class::d2d).at("c0.0>c0.1").parameters.bandwidth_hz;
    };
    EXPECT_DOUBLE_EQ(band_of({false, true, true, true}), 12e6 / 6);
    EXPECT_DOUBLE_EQ(band_of({false, false, true, true}), 12e6 / 5);
    EXPECT_DOUBLE_EQ(band_of({false, false, false, false}), 12e6 / 3);
    scene.link.charge_gradients = false;
    EXPECT_DOUBLE_EQ(band_of({false, true, true, true}), 12e6 / 3) << "gradients that are not charged need no band";
}

// Whoever gives a rate says what a link carries, so it has what carries it, however many others there are.
TEST(topology, a_rate_has_the_band_that_it_needs) {
    auto scene = twelve_blocks();
    scene.network.clusters = 40;
    scene.link.d2d.bandwidth.reset();
    auto net = make_topology(scene);
    EXPECT_TRUE(net.warnings.empty());
    for (const auto& [name, link] : links_of(net, link_class::d2d)) {
        EXPECT_DOUBLE_EQ(link.parameters.bandwidth_hz, 50e6 / 5) << name;
    }
    scene.link.d2d.share = share_kind::equal; // one medium for all
    scene.link.d2d.spectral_efficiency = 2.5;
    net = make_topology(scene);
    EXPECT_DOUBLE_EQ(links_of(net, link_class::d2d).at("c0.0>c0.1").parameters.bandwidth_hz, 50e6 / 2.5);
    EXPECT_DOUBLE_EQ(net.media.front().bandwidth_hz, 50e6 / 2.5);
}

TEST(topology, a_rate_that_its_band_cannot_carry_is_a_warning) {
    auto scene = twelve_blocks();
    scene.link.d2d.bandwidth = distribution::of(1e6);
    scene.link.d2d.max_efficiency = 10;
    const auto net = make_topology(scene);
    ASSERT_EQ(net.warnings.size(), 1U);
    EXPECT_THAT(net.warnings.front(), AllOf(HasSubstr("50.00 bit/s/Hz"), HasSubstr("c0.0 -> c0.1"),
                                            HasSubstr("11 more links"), HasSubstr("link.d2d.max_efficiency")));
    scene.link.d2d.max_efficiency = 50;
    EXPECT_TRUE(make_topology(scene).warnings.empty());
}

TEST(topology, a_cable_has_no_band_and_radiates_nothing) {
    auto scene = twelve_blocks();
    scene.cloud.period = 1;
    scene.link.backhaul.bandwidth.reset();
    scene.link.backhaul.wired_j_bit = 2e-8;
    const auto cable = links_of(make_topology(scene), link_class::backhaul).at("edge0>cloud").parameters;
    EXPECT_EQ(cable.bandwidth_hz, 0.0);
    EXPECT_EQ(cable.radiated_w, 0.0);
    EXPECT_EQ(cable.wired_j_bit, 2e-8);
}

TEST(topology, links_outside_the_range_of_their_model_are_a_warning) {
    auto scene = with_radio();
    scene.link.d2d.radio->loss.shortest_m = 1e4;
    auto net = make_topology(scene);
    ASSERT_EQ(net.warnings.size(), 1U);
    EXPECT_THAT(net.warnings.front(), AllOf(HasSubstr("link.d2d.path_loss = free_space is for 10.00 km and more"),
                                            HasSubstr("is computed as at 10.00 km"), HasSubstr("12 such links")));
    scene.link.d2d.radio->loss.shortest_m = 1e-3;
    scene.link.d2d.radio->loss.longest_m = 1e-2;
    scene.link.d2d.radio->loss.lowest_hz = 6e9;
    net = make_topology(scene);
    ASSERT_EQ(net.warnings.size(), 2U);
    EXPECT_THAT(net.warnings[0], HasSubstr("is an extrapolation"));
    EXPECT_THAT(net.warnings[1], HasSubstr("2.000 GHz is an extrapolation"));
}

// Hops go past a client that holds nothing.
TEST(topology, d2d_joins_neighbours_of_the_chain) {
    auto scene = with_radio();
    scene.network.clusters = 1;
    scene.split.blocks = {{6, 0, 0, 6}};
    const auto d2d = links_of(make_topology(scene), link_class::d2d);
    EXPECT_THAT(keys_of(d2d), ElementsAre("c0.0>c0.3", "c0.3>c0.0"));
    EXPECT_DOUBLE_EQ(d2d.begin()->second.parameters.bandwidth_hz, 6e6);
}

TEST(topology, power_by_frequency) {
    auto scene = twelve_blocks();
    auto& client = scene.device.client;
    client.kappa = 1e-27;
    client.frequency = distribution::of(2e9);
    client.flops_per_cycle = 8;
    const auto device = make_topology(scene).nodes[1].device;
    EXPECT_DOUBLE_EQ(device.rate_flop_s, 16e9);
    EXPECT_DOUBLE_EQ(device.power_w, 8.0); // kappa f^3 = 1e-27 x 8e27
}

/// All that is drawn for one node or link, by its name.
using drawn = std::map<std::string, std::tuple<double, double, double>>;
drawn values_of(const topology& net) {
    drawn out;
    for (const auto& one : net.nodes) {
        out[one.name] = {one.device.rate_flop_s, one.device.power_w, 0.0};
    }
    for (const auto& link : net.links) {
        if (link.parameters.kind != link_class::d2d) { // whose bands depend on the number of clusters
            out[net.nodes[link.parameters.from].name + ">" + net.nodes[link.parameters.to].name] = {
                link.rate_bit_s, link.parameters.latency_s, link.parameters.bandwidth_hz};
        }
    }
    return out;
}

std::map<std::string, std::int64_t> ranks_of(const scenario& scene) {
    std::map<std::string, std::int64_t> out;
    for (const auto& one : make_topology(scene).nodes) {
        out[one.name] = one.tuning_size;
    }
    return out;
}

TEST(topology, ranks_are_drawn_by_name) {
    auto scene = twelve_blocks();
    scene.tuning.rank.values = {distribution::family::uniform, {2.6, 9.4}, ""};
    const auto few = ranks_of(scene);
    EXPECT_EQ(few.at("edge0"), 0) << "that of the largest";
    scene.network.clusters = 40;
    auto many = ranks_of(scene);
    many.erase("edge0");
    std::set<std::int64_t> drawn;
    std::int64_t largest = 0;
    for (const auto& [name, rank] : many) {
        EXPECT_EQ(few.contains(name) ? few.at(name) : rank, rank) << name;
        drawn.insert(rank);
        largest = std::max(largest, rank);
    }
    EXPECT_THAT(drawn, ElementsAre(3, 4, 5, 6, 7, 8, 9)) << "whole numbers";
    EXPECT_EQ(largest_tuning_size(scene), largest);
    node_override given;
    given.name = "c1.2";
    given.rank = 30;
    scene.network.overrides.nodes = {given};
    auto other = ranks_of(scene);
    EXPECT_EQ(other.at("c1.2"), 30);
    EXPECT_EQ(largest_tuning_size(scene), 30);
    other["c1.2"] = many.at("c1.2");
    other.erase("edge0");
    EXPECT_EQ(other, many);
    scene.network.overrides.nodes.front().name = "edge0";
    EXPECT_THAT([&] { make_topology(scene); },
                ThrowsMessage<usage_error>(HasSubstr("edge0: only a client has a rank")));
}

TEST(topology, larger_ranks_may_go_to_larger_devices) {
    auto scene = twelve_blocks();
    scene.network.clusters = 6;
    scene.tuning.rank.values = {distribution::family::uniform, {1, 100}, ""};
    scene.device.client.memory = {distribution::family::uniform, {1e9, 9e9}, ""};
    scene.device.client.rate = {distribution::family::uniform, {1e9, 1e12}, ""};
    node_override given;
    given.name = "c0.0";
    given.rank = 77;
    scene.network.overrides.nodes = {given};
    const auto by = [&](rank_order order) {
        scene.tuning.rank_by = order;
        std::multiset<std::int64_t> ranks;
        std::vector<std::tuple<double, double, std::int64_t>> clients;
        for (const auto& one : make_topology(scene).nodes) {
            if (one.name == "c0.0") {
                EXPECT_EQ(one.tuning_size, 77) << "what is given stays";
            } else if (one.role == node_role::client) {
                ranks.insert(one.tuning_size);
                clients.emplace_back(static_cast<double>(one.device.memory_bytes), one.device.rate_flop_s,
                                     one.tuning_size);
            }
        }
        return std::pair(ranks, clients);
    };
    const auto rises = [](auto clients, auto budget) {
        std::sort(clients.begin(), clients.end(), [&](const auto& a, const auto& b) { return budget(a) < budget(b); });
        return std::is_sorted(clients.begin(), clients.end(),
                              [](const auto& a, const auto& b) { return std::get<2>(a) < std::get<2>(b); });
    };
    const auto memory = [](const auto& one) { return std::get<0>(one); };
    const auto rate = [](const auto& one) { return std::get<1>(one); };
    const auto [drawn, as_drawn] = by(rank_order::draw);
    EXPECT_FALSE(rises(as_drawn, memory) || rises(as_drawn, rate));
    const auto [of_memory, by_memory] = by(rank_order::memory);
    EXPECT_TRUE(rises(by_memory, memory));
    const auto [of_rate, by_rate] = by(rank_order::compute);
    EXPECT_TRUE(rises(by_rate, rate));
    EXPECT_FALSE(rises(by_rate, memory));
    EXPECT_EQ(of_memory, drawn) << "they are the same ranks";
    EXPECT_EQ(of_rate, drawn);
}

TEST(topology, adding_clusters_changes_no_value_that_was_drawn) {
    auto scene = twelve_blocks();
    scene.link.cs_up.rate = {distribution::family::uniform, {1e6, 100e6}, ""};
    scene.device.client.rate = {distribution::family::uniform, {1e9, 1e12}, ""};
    const auto small = values_of(make_topology(scene));
    EXPECT_EQ(values_of(make_topology(scene)), small);
    scene.network.clusters = 5;
    const auto large = values_of(make_topology(scene));
    std::set<double> rates;
    for (const auto& [name, value] : small) {
        EXPECT_EQ(large.at(name), value) << name;
        rates.insert(std::get<0>(value));
    }
    EXPECT_GE(rates.size(), 8U + 8U); // every client and every uplink drew its own
    scene.seed = 2;
    EXPECT_NE(values_of(make_topology(scene)).at("c0.0"), small.at("c0.0"));
}

} // namespace
} // namespace gaisnet
