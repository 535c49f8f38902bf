#include "network/network_file.hpp"

#include "base/error.hpp"
#include "scenario/scenario.hpp"
#include "settings/options.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class network_file_test : public in_temporary_folder {
protected:
    std::string write(const std::string& name, const std::string& text) {
        const auto path = folder_ / name;
        std::ofstream(path) << text;
        return path.string();
    }
    static scenario scene(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "plan");
        return read_scenario(parse_command_line(arguments, {}).values);
    }
    void rejects(const std::string& name, const std::string& text, const char* because) {
        const auto path = write(name, text);
        EXPECT_THAT([&] { read_network_file(path); }, ThrowsMessage<usage_error>(HasSubstr(because))) << text;
    }

    std::filesystem::path folder_ = temporary;
};

constexpr const char* small_json = R"({
  "clusters": [{"edge": "edge0", "clients": ["robot", "arm", "camera"]}],
  "nodes": [{"name": "arm", "position": ["10 m", "-5 m"], "rate": "2 TFLOP/s", "sleep_power": "10 mW"}],
  "links": [{"from": "robot", "to": "arm", "rate": "80 Mbit/s", "loss": 0.01}]
})";
constexpr const char* small_csv = R"(# the same
cluster, edge0, robot, arm, camera
node, arm, x = 10 m, y = -5 m, rate = 2 TFLOP/s, sleep_power = 10 mW
link, robot, arm, rate = 80 Mbit/s, loss = 0.01
)";

TEST_F(network_file_test, json_and_csv_say_the_same) {
    for (const auto& path : {write("a.json", small_json), write("a.csv", small_csv)}) {
        const auto scene_read = scene({"--network.file", path});
        EXPECT_EQ(scene_read.network.clusters, 1);
        EXPECT_THAT(scene_read.network.clients, ElementsAre(3));
        const auto net = make_topology(scene_read);
        ASSERT_EQ(net.nodes.size(), 4U);
        EXPECT_EQ(net.nodes[2].name, "arm");
        EXPECT_EQ(net.nodes[2].device.rate_flop_s, 2e12);
        EXPECT_EQ(net.nodes[2].device.sleep_power_w, 0.01);
        EXPECT_EQ(net.nodes[1].device.rate_flop_s, 236e9) << "the others are drawn";
        EXPECT_EQ(net.radio->place(2, 0.0).y, -5.0);
        for (const auto& link : net.links) {
            const bool given = link.parameters.name == "robot->arm";
            EXPECT_EQ(link.parameters.loss, given ? 0.01 : 0.0);
            if (link.parameters.kind == link_class::d2d) {
                EXPECT_EQ(link.rate_bit_s, given ? 80e6 : 50e6);
            }
        }
    }
}

TEST_F(network_file_test, what_is_written_is_read_back_as_the_same_network) {
    const std::vector<std::string> arguments{"--network.edges",         "2",
                                             "--network.clients",       "3,4",
                                             "--network.clusters",      "2",
                                             "--device.client.rate",    "uniform(0.1, 2) TFLOP/s",
                                             "--link.cs_up.rate",       "normal(50, 10) Mbit/s",
                                             "--link.d2d.path_loss",    "pedestrian",
                                             "--device.client.battery", "uniform(1, 5) kJ"};
    const auto first = make_topology(scene(arguments));
    const auto path = write("net.json", network_file_text(scene(arguments), first));
    auto with_file = arguments;
    with_file.insert(with_file.end(), {"--network.file", path});
    const auto second = make_topology(scene(with_file));
    EXPECT_EQ(network_file_text(scene(with_file), second), network_file_text(scene(arguments), first));
    ASSERT_EQ(second.links.size(), first.links.size());
    for (std::size_t i = 0; i < first.links.size(); ++i) {
        EXPECT_EQ(second.links[i].rate_bit_s, first.links[i].rate_bit_s);
        EXPECT_EQ(second.links[i].by_radio, first.links[i].by_radio);
    }
    // Also with another seed: nothing is left to be drawn but channels.
    with_file.insert(with_file.end(), {"--seed", "99"});
    const auto third = make_topology(scene(with_file));
    EXPECT_EQ(network_file_text(scene(with_file), third), network_file_text(scene(arguments), first));
}

TEST_F(network_file_test, mistakes_are_named_with_their_place) {
    rejects("a.json", "{", "is not JSON");
    rejects("a.json", R"({"nodes": [{"name": "a", "rate": 1e999}]})", "is not JSON"); // no number of this machine
    rejects("a.json", "[]", "an object with clusters, nodes and links");
    rejects("a.json", R"({"node": []})", "unknown key node; accepted: clusters, nodes, links");
    rejects("a.json", R"({"nodes": [{"rate": "1 TFLOP/s"}]})", "nodes[0]: name is missing");
    rejects("a.json", R"({"nodes": [{"name": "a", "rat": "1"}]})",
            "nodes[0] (a): unknown key rat; accepted: name, position, edge, rate");
    rejects("a.json", R"({"nodes": [{"name": "a", "rate": "1 Mbit/s"}]})", "(a): rate = 1 Mbit/s: unknown unit");
    rejects("a.json", R"({"nodes": [{"name": "a"}, {"name": "a"}]})", "nodes[1] (a): the node stands here again");
    rejects("a.json", R"({"nodes": [{"name": "a", "memory": "0"}]})", "a value above 0");
    rejects("a.json", R"({"clusters": [{"edge": "edge1", "clients": ["a"]}]})",
            "edge1 has clusters and edge0 has none");
    rejects("a.json", R"({"clusters": [{"edge": "north", "clients": ["a"]}]})", "edge0, edge1, ... are accepted");
    rejects("a.json", R"({"links": [{"from": "a", "to": "b", "loss": 1}]})", "0 to below 1 is accepted");
    rejects("a.csv", "nodes, a\n", "a.csv:1: \"cluster, EDGE, CLIENT");
    rejects("a.csv", "node, a, x = 3 m\n", "x and y go together");
    rejects("a.csv", "node, a, rate\n", "KEY = VALUE is accepted");
    const auto unknown = write("a.json", R"({"nodes": [{"name": "c9.9", "rate": "1 TFLOP/s"}]})");
    EXPECT_THAT(
        [&] {
            make_topology(scene({"--network.file", unknown}));
        },
        ThrowsMessage<usage_error>(HasSubstr("there is no node c9.9")));
    const auto no_link = write("a.json", R"({"links": [{"from": "c0.0", "to": "c1.0", "rate": "1 Mbit/s"}]})");
    EXPECT_THAT(
        [&] {
            make_topology(scene({"--network.file", no_link}));
        },
        ThrowsMessage<usage_error>(HasSubstr("nothing is sent from c0.0 to c1.0")));
    const auto refused = [&](const std::string& text, const std::string& words) {
        const auto file = write("c.json", text);
        EXPECT_THAT([&] { scene({"--network.file", file}); }, ThrowsMessage<usage_error>(HasSubstr(words)));
    };
    refused(R"({"nodes": [{"name": "spare", "edge": "edge3"}]})", "spare is at edge3, and network.edges is 1");
    refused(R"({"clusters": [{"edge": "edge0", "clients": ["a", "b"], "blocks": [1, 2]}]})",
            "the cluster of a has 2 clients and the model 4 blocks, but 2 counts with sum 3");
    refused(R"({"clusters": [{"edge": "edge0", "clients": ["a"], "blocks": 4}]})", "a list of numbers, one for each");
    refused(R"({"clusters": [{"edge": "edge0", "clients": ["a"], "blocks": [4.5]}]})", "4.5: a whole number from 0");
    refused(R"({"nodes": [{"name": "c0.0", "label_noise": 2}]})", "label_noise = 2: 0 to 1 is accepted");
    refused(R"({"nodes": [{"name": "c0.0", "samples": 1.5}]})", "samples = 1.5: a whole number of at least 1");
    const auto listed = write("b.json", small_json);
    EXPECT_THAT(
        [&] {
            scene({"--network.file", listed, "--network.clusters", "5"});
        },
        ThrowsMessage<usage_error>(HasSubstr("network.file lists 1")));
    EXPECT_THAT(
        [&] {
            scene({"--network.file", "/nowhere.json"});
        },
        ThrowsMessage<usage_error>(HasSubstr("network.file = /nowhere.json: /nowhere.json cannot be read")));
}

TEST_F(network_file_test, traces_are_read_in_both_formats) {
    const auto csv = read_rate_trace(write("t.csv", "time, rate\n0, 10 Mbit/s\n1500 ms, 0\n2, 20e6 # and so on\n"));
    EXPECT_THAT(csv->times, ElementsAre(0.0, 1.5, 2.0));
    EXPECT_THAT(csv->bits_per_second, ElementsAre(10e6, 0.0, 20e6));
    EXPECT_EQ(csv->period_s, 0.0);
    // Mahimahi: one packet in the first ms, two in the fourth; 36 kbit in 4 ms and again.
    const auto chances = read_rate_trace(write("t.mahi", "1\n4\n4\n"));
    EXPECT_THAT(chances->times, testing::Pointwise(testing::DoubleNear(1e-12), {0.0, 1e-3, 3e-3}));
    EXPECT_THAT(chances->bits_per_second, ElementsAre(12e6, 0.0, 24e6));
    const traced_rate rate(chances);
    EXPECT_NEAR(rate.bits_between(0.0, 0.4), 3.6e6, 1e-3);
    const auto rejected = [&](const char* text, const char* because) {
        const auto path = write("bad", text);
        EXPECT_THAT([&] { read_rate_trace(path); }, ThrowsMessage<usage_error>(HasSubstr(because))) << text;
    };
    rejected("0, 1 Mbit/s\n1, 0\n", "the last rate stays for ever");
    rejected("1, 1 Mbit/s\n", "bad:1: times begin at 0");
    rejected("0, 1 Mbit/s\n0, 2 Mbit/s\n", "bad:2: times begin at 0 and ascend");
    rejected("0, 1 Watt\n", "bad:1: unknown unit");
    rejected("5\n3\n", "bad:2: whole milliseconds, ascending");
    rejected("", "is empty");
}

TEST_F(network_file_test, movements_are_read) {
    const auto paths = read_paths(write("p.csv", "node,time,x,y\nc0.1, 0, 1, 2\nc0.1, 2 s, 5 m, 2 m\n"));
    ASSERT_EQ(paths->at("c0.1").size(), 2U);
    EXPECT_EQ(trajectory(paths->at("c0.1")).at(1.0).x, 3.0);
    const auto bad = write("p.csv", "c0.1, 3, 1, 2\nc0.1, 2, 5, 2\n");
    EXPECT_THAT([&] { read_paths(bad); }, ThrowsMessage<usage_error>(HasSubstr("p.csv:2: the times of a node ascend")));
    const auto unknown = write("q.csv", "c7.1, 0, 1, 2\n");
    EXPECT_THAT(
        [&] {
            make_topology(scene({"--mobility.file", unknown, "--link.d2d.path_loss", "umi_los"}));
        },
        ThrowsMessage<usage_error>(HasSubstr("mobility.file: there is no node c7.1")));
}

TEST_F(network_file_test, radio_keys_are_read_and_checked) {
    const auto read = scene({"--link.cs_up.path_loss", "umi_los", "--link.cs_up.frequency", "3.5 GHz",
                             "--link.cs_up.fading", "rician(6 dB)", "--link.cs_up.shadowing", "0 dB",
                             "--link.cs_up.max_efficiency", "7.4", "--link.cs_up.share", "airtime",
                             "--link.d2d.path_loss", "log_distance(40, 3)", "--link.d2d.share", "reuse"});
    ASSERT_TRUE(read.link.cs_up.radio);
    EXPECT_EQ(read.link.cs_up.radio->frequency_hz, 3.5e9);
    EXPECT_NEAR(read.link.cs_up.radio->fading.k_factor, 3.981, 1e-3);
    EXPECT_EQ(read.link.cs_up.radio->shadowing_db, 0.0);
    EXPECT_EQ(read.link.cs_up.share, share_kind::airtime);
    EXPECT_NEAR(read.link.d2d.radio->loss.loss_db(100.0, 1e9), 100.0, 1e-9);
    EXPECT_FALSE(read.link.cs_down.radio);
    const auto rejected = [&](std::vector<std::string> arguments, const char* because) {
        EXPECT_THAT([&] { scene(arguments); }, ThrowsMessage<usage_error>(HasSubstr(because)));
    };
    rejected({"--link.d2d.path_loss", "umi"}, "accepted: none, free_space, inf_los, macro");
    rejected({"--link.d2d.path_loss", "umi_los", "--link.d2d.rate", "5 Mbit/s"}, "give one of them");
    rejected({"--link.d2d.frequency", "5 GHz"}, "link.d2d.path_loss is none");
    rejected({"--link.d2d.share", "reuse"}, "needs link.d2d.path_loss");
    rejected({"--link.cs_up.share", "reuse"}, "accepted: private, equal, maxmin, airtime");
    rejected({"--link.cs_up.capacity", "1 Gbit/s"}, "belongs to link.cs_up.share = maxmin");
    rejected({"--link.d2d.path_loss", "umi_los", "--link.d2d.fading", "nakagami"}, "none, rayleigh, rician(K dB)");
    rejected({"--cs.access", "cell_free"}, "access points are radios");
    rejected({"--link.cs_up.loss", "1"}, "below 1");
    rejected({"--link.cs_up.loss", "130 %"}, "below 1");
    rejected({"--network.layout", "list"}, "list needs network.file");
    rejected({"--mobility.speed", "3 mph"}, "m/s, km/h");
    rejected({"--link.cs_up.trace", "/nowhere.csv"}, "/nowhere.csv cannot be read");
    rejected({"--device.client.rate", "normal(0, 1) TFLOP/s"}, "a mean above 0");
}

TEST_F(network_file_test, a_client_may_have_a_rank) {
    const auto path = write("ranks.csv", "node, c0.1, rank = 3\n");
    const auto given = scene({"--network.file", path, "--tuning.rank", "choice(4, 8)"});
    const auto net = make_topology(given);
    EXPECT_EQ(net.nodes[2].name, "c0.1");
    EXPECT_EQ(net.nodes[2].tuning_size, 3);
    // What is written has them all, whatever seed it is read with.
    const auto again = write("again.json", network_file_text(given, net));
    const auto other = make_topology(scene({"--network.file", again, "--seed", "9", "--tuning.rank", "choice(4, 8)"}));
    for (std::size_t i = 0; i < net.nodes.size(); ++i) {
        EXPECT_EQ(other.nodes[i].tuning_size, net.nodes[i].tuning_size) << net.nodes[i].name;
    }
    rejects("half.csv", "node, c0.1, rank = 2.5\n", "a whole number of at least 1 and at most 100000 is accepted");
    rejects("none.csv", "node, c0.1, rank = 0\n", "a whole number of at least 1 and at most 100000 is accepted");
}

} // namespace
} // namespace gaisnet
