// Rounds of HFSL in the ledger against closed forms and recurrences that are written down here.

#include "rounds/describe.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/slow_links.hpp"
#include "support/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gaisnet {
namespace {

constexpr double relative = 1e-9;

struct figures {
    double rate = 50e6, latency = 2e-3, flop_s = 1e9;
    double hop(double bytes) const { return bytes * 8 / rate + latency; }
    double time(double flops) const { return flops / flop_s; }
};

TEST(ledger_run, serial_round_is_the_sum_of_its_parts) {
    // Round latency (one cluster of four: embedding, two blocks each for two, head):
    // sensing + batches x (compute along the chain + hops forward + hops backward) + the last upload + FedAvg.
    auto scene = lab::small_scenario();
    scene.network.clusters = 1;
    scene.network.clients = {4};
    const figures f;
    const auto deploy = lab::deploy(scene, {12});
    const auto& chain = deploy.chains[0];
    ASSERT_EQ(chain.size(), 4U);
    double batch = 0.0;
    for (const auto& seat : chain) {
        batch += f.time(seat.spec.forward_flops(4)) + f.time(seat.spec.backward_flops(4));
    }
    const double tokens = 4 * 17 * 24 * 4, cls = 4 * 24 * 4;
    // Forward: tokens, tokens, CLS; backward: CLS, tokens; none to the start point, which has nothing to train.
    batch += 2 * f.hop(tokens) + f.hop(cls) + f.hop(cls) + f.hop(tokens);
    const auto& last = chain[1].spec; // its backward ends the batch
    const double end =
        f.time(last.step_flops(scene.train.optimizer)) + f.hop(static_cast<double>(last.tunable_bytes()));
    const double merge = f.time(2.0 * static_cast<double>(deploy.domain_of(0).elements));
    const double expected = 12 * scene.sense.time + 3 * batch + end + merge;

    ledger_run ledger(deploy);
    const auto round = ledger.play(1);
    EXPECT_NEAR(round.rounds[0].latency_s, expected, relative * expected);
    EXPECT_NEAR(round.rounds[0].parts["sensing"], 12 * scene.sense.time, relative);
    EXPECT_NEAR(round.rounds[0].parts["upload"], f.hop(static_cast<double>(last.tunable_bytes())), relative);
    const double sensing = 12 * scene.sense.time;
    EXPECT_NEAR(ledger.play(2).rounds[0].latency_s, expected - sensing, relative * expected) << "samples are there";
    scene.sense.mode = sensing_kind::each_round;
    const auto again = lab::deploy(scene, {12});
    ledger_run anew(again);
    anew.play(1);
    EXPECT_NEAR(anew.play(2).rounds[0].latency_s, expected, relative * expected) << "every round is alike";
}

// Two deliveries at once over private radio links: each has half of the edge's power.
TEST(ledger_run, an_edge_divides_its_power_over_deliveries_at_once) {
    auto scene = lab::small_scenario();
    scene.sense.time = 0.0;
    scene.link.cs_down.tx_power = distribution::of(1e-3);
    radio_settings radio;
    radio.loss = *registry<path_loss_model>::find("free_space");
    radio.frequency_hz = 2e9;
    scene.link.cs_down.radio = radio;
    scene.network.layout = layout_kind::list;
    scene.network.clients = {1};
    for (const auto& [name, x] : {std::pair("c0.0", 300.0), {"c1.0", -300.0}}) {
        node_override given;
        given.name = name;
        given.place = position{x, 0.0};
        scene.network.overrides.nodes.push_back(given);
    }
    const auto deploy = lab::deploy(scene);
    const auto& seat = deploy.chains[0].front();
    const auto state = deploy.net.radio->state(link_class::cs_down, radio, 0, seat.node, 5e6, 0.0);
    const auto bits = 8.0 * static_cast<double>(seat.spec.tunable_bytes());
    const auto played = ledger_run(deploy).play(1);
    int deliveries = 0;
    double drawn = 0;
    for (const auto& event : played.events) {
        if (event.kind == event_kind::send_modules_down) {
            ++deliveries;
            EXPECT_NEAR(event.end_s - event.start_s, bits / (5e6 * std::log2(1.0 + state.snr / 2)), 1e-9);
            EXPECT_GT(event.end_s - event.start_s, 1.01 * bits / state.rate_bit_s);
            drawn += event.energy_j;
        }
    }
    EXPECT_EQ(deliveries, 2);
    const double seconds = bits / (5e6 * std::log2(1.0 + state.snr / 2));
    EXPECT_NEAR(drawn, seconds * (1e-3 + 2 * 0.9), 1e-9) << "one radiated power, two receivers";
}

TEST(slow_links, are_told_when_they_take_a_part_of_a_round) {
    auto scene = lab::small_scenario();
    radio_settings radio;
    radio.min_rate = 1e6;
    scene.link.d2d.radio = radio;
    auto deploy = lab::deploy(lab::small_scenario());
    deploy.scene = &scene;
    slow_links slow(deploy);
    const auto sent = [](link_class link, std::uint64_t bytes, double seconds) {
        event_row event;
        event.node = 1;
        event.peer = 2;
        event.receivers = 1;
        event.link = link;
        event.bytes = bytes;
        event.on_air_s = event.end_s = event.arrival_s = seconds;
        return event;
    };
    EXPECT_TRUE(slow.find(std::vector{sent(link_class::cs_up, 1000, 80.0)}).empty()) << "no radio";
    EXPECT_TRUE(slow.find(std::vector{sent(link_class::d2d, 10'000'000, 80.0)}).empty()) << "1 Mbit/s";
    EXPECT_TRUE(slow.find(std::vector{sent(link_class::d2d, 10'000'000, 80.0), sent(link_class::d2d, 16, 0.1)}).empty())
        << "slow, but of no weight";
    const std::vector slowly{sent(link_class::d2d, 1'000'000, 80.0)};
    ASSERT_EQ(slow.find(slowly).size(), 1U);
    EXPECT_THAT(slow.find(slowly).front(), testing::HasSubstr("100.0 kbit/s in 80.00 s"));
    EXPECT_THAT(slow.find(slowly).front(), testing::HasSubstr("no more is said"));
    EXPECT_TRUE(slow.find(slowly).empty()) << "three times are enough";
}

TEST(ledger_run, samples_are_sensed_once_whoever_missed_a_round) {
    auto scene = lab::small_scenario();
    scene.train.steps = 2;                    // of 4 samples
    scene.dropout.schedule = {{"c1.1", 1.0}}; // before the first batch, but its start point senses
    const auto deploy = lab::deploy(scene, {20, 20});
    ledger_run ledger(deploy);
    std::vector<std::map<std::uint32_t, double>> sensed;
    for (int round = 1; round <= 4; ++round) {
        sensed.emplace_back();
        for (const auto& node : ledger.play(round).nodes) {
            if (node.sense_j > 0.0) {
                sensed.back()[node.node] = std::round(node.sense_j / scene.sense.energy);
            }
        }
    }
    const auto a = deploy.net.clusters[0].clients.front(), b = deploy.net.clusters[1].clients.front();
    using counts = std::map<std::uint32_t, double>;
    EXPECT_EQ(sensed[0].at(a), 8.0);
    EXPECT_EQ(sensed[1].at(a), 8.0);
    EXPECT_EQ(sensed[2].at(a), 4.0) << "20 in all";
    EXPECT_EQ(sensed[3], counts{});
    double of_b = 0;
    for (const auto& round : sensed) {
        of_b += round.contains(b) ? round.at(b) : 0.0;
    }
    EXPECT_EQ(of_b, 20.0);
}

/// End of a batch under GPipe by the recurrences of a flow shop: each stage, and each hop in each direction, serves the
/// micro-batches one after another.
double gpipe_batch(const std::vector<stage_seat>& chain, const std::vector<micro_batch>& micros, const figures& f) {
    std::vector<double> ready(micros.size(), 0.0);
    for (std::size_t s = 0; s < chain.size(); ++s) {
        double device = 0.0, link = 0.0;
        for (std::size_t m = 0; m < micros.size(); ++m) {
            device = std::max(device, ready[m]) + f.time(chain[s].spec.forward_flops(micros[m].count));
            ready[m] = device;
            if (s + 1 < chain.size()) {
                const auto bytes =
                    static_cast<double>(tensor_view::shape_only(chain[s].spec.output_shape(micros[m].count)).bytes());
                link = std::max(link, device) + bytes * 8 / f.rate;
                ready[m] = link + f.latency;
            }
        }
    }
    // The end point starts its backwards when its last forward has ended; a stage before it is ready by then.
    std::vector<double> back(micros.size(), ready.back());
    double device_end = 0.0;
    for (std::size_t s = chain.size(); s-- > 0;) {
        if (!chain[s].spec.runs_backward()) {
            break;
        }
        double device = s + 1 == chain.size() ? ready.back() : 0.0, link = 0.0;
        for (std::size_t m = 0; m < micros.size(); ++m) {
            device = std::max(device, back[m]) + f.time(chain[s].spec.backward_flops(micros[m].count));
            if (chain[s].spec.input_gradient) {
                const auto bytes =
                    static_cast<double>(tensor_view::shape_only(chain[s].spec.input_shape(micros[m].count)).bytes());
                link = std::max(link, device) + bytes * 8 / f.rate;
                back[m] = link + f.latency;
            }
        }
        device_end = device;
    }
    return device_end;
}

TEST(ledger_run, gpipe_round_follows_the_flow_shop_recurrence) {
    const figures f;
    for (int micro_batches = 1; micro_batches <= 16; ++micro_batches) {
        auto scene = lab::small_scenario();
        scene.network.clusters = 1;
        scene.network.clients = {4};
        scene.train.schedule = schedule_kind::gpipe;
        scene.train.batch = 16;
        scene.train.micro_batches = micro_batches;
        const auto deploy = lab::deploy(scene, {32});
        const auto& chain = deploy.chains[0];
        const auto batch = gpipe_batch(chain, split_batch(deploy.plans[0].batch_at(0), micro_batches), f);
        const auto& last = chain[1].spec;
        const double expected = 32 * scene.sense.time + 2 * batch + f.time(last.step_flops(scene.train.optimizer)) +
                                f.hop(static_cast<double>(last.tunable_bytes())) +
                                f.time(2.0 * static_cast<double>(deploy.domain_of(0).elements));
        ledger_run ledger(deploy);
        EXPECT_NEAR(ledger.play(1).rounds[0].latency_s, expected, relative * expected) << micro_batches;
    }
}

TEST(ledger_run, pipelining_is_faster_than_serial_and_1f1b_keeps_less_memory) {
    auto scene = lab::small_scenario();
    scene.network.clients = {4};
    scene.train.batch = 16;
    const auto latency = [&](schedule_kind kind, int micro_batches, std::uint64_t* memory) {
        scene.train.schedule = kind;
        scene.train.micro_batches = micro_batches;
        const auto deploy = lab::deploy(scene, {32});
        ledger_run ledger(deploy);
        const auto round = ledger.play(1);
        *memory = 0;
        for (const auto& node : round.nodes) {
            *memory = std::max(*memory, node.temporary_bytes);
        }
        return round.rounds[0].latency_s;
    };
    std::uint64_t serial_memory = 0, gpipe_memory = 0, one_f_one_b_memory = 0;
    const double serial = latency(schedule_kind::serial, 1, &serial_memory);
    EXPECT_LT(latency(schedule_kind::gpipe, 8, &gpipe_memory), serial);
    EXPECT_LT(latency(schedule_kind::one_f_one_b, 8, &one_f_one_b_memory), serial);
    EXPECT_LT(one_f_one_b_memory, gpipe_memory);
}

TEST(ledger_run, energy_bytes_and_airtime_add_up) {
    for (const auto labels : {label_route::chain, label_route::local}) {
        auto scene = lab::small_scenario();
        scene.network.edges = 2;
        scene.train.labels = labels;
        scene.device.client.rate = {distribution::family::uniform, {0.5e9, 2e9}, {}};
        scene.link.d2d.rate = {distribution::family::choice, {10e6, 50e6}, {}};
        const auto deploy = lab::deploy(scene);
        ledger_run ledger(deploy);
        const auto round = ledger.play(1);
        double by_event = 0, by_node = 0, by_round = 0, idle = 0, airtime_events = 0, airtime_rounds = 0;
        double flops_events = 0, flops_nodes = 0, flops_rounds = 0;
        std::uint64_t bytes_events = 0, bytes_sent = 0, bytes_received = 0, bytes_rounds = 0;
        for (const auto& event : round.events) {
            by_event += event.energy_j;
            airtime_events += event.airtime_hz_s;
            bytes_events += event.bytes;
            flops_events += event.flops;
        }
        for (const auto& node : round.nodes) {
            by_node += node.total_j();
            idle += node.idle_j + node.base_j;
            bytes_sent += node.bytes_sent;
            bytes_received += node.bytes_received;
            flops_nodes += node.flops;
        }
        for (const auto& row : round.rounds) {
            by_round += row.energy.total_j();
            airtime_rounds += std::accumulate(row.airtime_hz_s.begin(), row.airtime_hz_s.end(), 0.0);
            bytes_rounds += std::accumulate(row.bytes.begin(), row.bytes.end(), std::uint64_t{0});
            flops_rounds += row.client_flops + row.edge_flops;
            const double parts = row.parts["delivery"] + row.parts["sensing"] + row.parts["compute"] +
                                 row.parts["d2d"] + row.parts["cs_smashed"] + row.parts["upload"] + row.parts["edge"];
            EXPECT_NEAR(parts, row.latency_s, 1e-12 * row.latency_s + 1e-15);
        }
        EXPECT_GT(by_event, 0.0);
        EXPECT_NEAR(by_event + idle, by_node, 1e-12 * by_node);
        EXPECT_NEAR(by_node, by_round, 1e-12 * by_node);
        EXPECT_NEAR(airtime_events, airtime_rounds, 1e-12 * airtime_rounds);
        EXPECT_NEAR(flops_events, flops_nodes, 1e-12 * flops_nodes);
        EXPECT_NEAR(flops_nodes, flops_rounds, 1e-12 * flops_nodes);
        EXPECT_EQ(bytes_events, bytes_rounds);
        EXPECT_EQ(bytes_events, bytes_sent);
        EXPECT_EQ(bytes_events, bytes_received);
    }
}

TEST(ledger_run, devices_and_links_serve_one_thing_at_a_time) {
    auto scene = lab::small_scenario();
    scene.train.schedule = schedule_kind::one_f_one_b;
    scene.train.micro_batches = 4;
    scene.cluster.edge_stage = 2;
    const auto deploy = lab::deploy(scene);
    ledger_run ledger(deploy);
    auto events = ledger.play(1).events;
    std::map<std::tuple<std::uint32_t, std::uint32_t>, double> busy_until;
    for (const auto& event : events) { // sorted by start
        EXPECT_LE(event.start_s, event.end_s);
        EXPECT_LE(event.end_s, event.arrival_s);
        auto& until = busy_until[{event.node, event.peer}];
        EXPECT_GE(event.start_s, until - 1e-15);
        until = event.end_s;
    }
}

TEST(ledger_run, an_edge_stage_uses_the_cellular_links_and_the_edges_device) {
    auto scene = lab::small_scenario();
    scene.cluster.edge_stage = 2;
    const auto deploy = lab::deploy(scene);
    ledger_run ledger(deploy);
    const auto round = ledger.play(1);
    bool up = false, down = false, edge_computes = false;
    for (const auto& event : round.events) {
        up = up || (event.link == link_class::cs_up && event.kind == event_kind::send_forward);
        down = down || (event.link == link_class::cs_down && event.kind == event_kind::send_forward);
        edge_computes = edge_computes || (event.node == 0 && event.kind == event_kind::backward);
    }
    EXPECT_TRUE(up && down && edge_computes);
    EXPECT_GT(round.rounds[0].parts["cs_smashed"], 0.0);
}

TEST(ledger_run, nodes_are_described_by_their_place_in_the_chain) {
    auto scene = lab::small_scenario();
    scene.network.edges = 2;
    scene.network.clients = {4};
    scene.cluster.edge_stage = 2;
    scene.split.blocks = {{1, 2, 0, 1, 0}}; // client 1 holds nothing and is passed by; the edge comes second
    const auto deploy = lab::deploy(scene);
    const auto nodes = describe_nodes(deploy, std::vector<int>(deploy.net.nodes.size(), 0));
    const auto find = [&](const std::string& name) {
        return *std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.name == name; });
    };
    EXPECT_EQ(find("e1.c1.0").cluster, 1) << "of its edge";
    EXPECT_EQ(find("e1.c1.0").position, 0);
    EXPECT_EQ(find("e1.c1.1").position, -1) << "not in the chain";
    EXPECT_EQ(find("e1.c1.2").position, 2) << "behind the edge";
    EXPECT_EQ(find("edge1").first_block, 1);
    EXPECT_EQ(find("edge1").blocks, 2);
}

TEST(ledger_run, an_edge_holds_a_frozen_block_once_however_many_chains_use_it) {
    auto scene = lab::small_scenario();
    scene.cluster.edge_stage = 2;
    std::uint64_t edge_bytes[2];
    for (const int clusters : {1, 2}) {
        scene.network.clusters = clusters;
        const auto deploy = lab::deploy(scene);
        ledger_run ledger(deploy);
        const auto round = ledger.play(1);
        edge_bytes[clusters - 1] = round.nodes[0].total_bytes - round.nodes[0].temporary_bytes;
    }
    const auto deploy = lab::deploy(scene);
    // One chain more costs its tunables, their gradients and momentum; no frozen weights.
    EXPECT_EQ(edge_bytes[1] - edge_bytes[0], 3 * deploy.chains[1][1].spec.tunable_bytes());
}

TEST(ledger_run, delivered_modules_are_no_temporary_data_of_a_client) {
    // The end point holds a head of many classes, larger than what it keeps while it trains. Its peak is the moment at
    // which the head arrives, while CLS (24 floats) and label of the four samples of the first batch wait already.
    auto scene = lab::small_scenario();
    scene.network.clients = {4};
    const std::int64_t many = 5000;
    const auto deploy = make_deployment(scene, make_tuning_method(scene), {{many, 20}}, {12, 12});
    const auto& end_point = deploy.chains[0].back();
    const auto modules = end_point.spec.tunable_bytes();
    ASSERT_LT(end_point.spec.retained_bytes(4) + end_point.spec.workspace_bytes(4), modules);
    ledger_run ledger(deploy);
    for (int round = 1; round <= 2; ++round) {
        const auto rows = ledger.play(round).nodes;
        const auto found =
            std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.node == end_point.node; });
        EXPECT_EQ(found->temporary_bytes, modules + 4 * (24 * 4 + 8));
    }
}

TEST(ledger_run, drawn_values_do_not_change_when_a_cluster_is_added) {
    auto scene = lab::small_scenario();
    scene.device.client.rate = {distribution::family::uniform, {0.5e9, 2e9}, {}};
    const auto before = make_topology(scene);
    scene.network.clusters = 3;
    const auto after = make_topology(scene);
    for (std::size_t node = 0; node < before.nodes.size(); ++node) {
        EXPECT_EQ(before.nodes[node].name, after.nodes[node].name);
        EXPECT_EQ(before.nodes[node].device.rate_flop_s, after.nodes[node].device.rate_flop_s);
    }
    EXPECT_NE(before.nodes[1].device.rate_flop_s, before.nodes[2].device.rate_flop_s);
}

} // namespace
} // namespace gaisnet
