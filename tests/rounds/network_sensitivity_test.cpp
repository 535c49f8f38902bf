// The direction in which every key of links and devices moves the result.

#include "base/error.hpp"
#include "scenario/scenario.hpp"
#include "settings/key.hpp"
#include "settings/options.hpp"
#include "support/lab.hpp"
#include "support/tuned.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

namespace gaisnet {
namespace {

struct outcome {
    double latency_s = 0, energy_j = 0, airtime_hz_s = 0, upload_end = 0;
    std::uint64_t resent = 0;
    bool operator==(const outcome&) const = default;
};

enum class way { more, less, same, any, other };

using arguments = std::vector<std::string>;

outcome result_of(arguments given) {
    const arguments base{"plan", "--model.image",  "16", "--model.patch",        "4",        "--model.dim",
                         "24",   "--model.heads",  "3",  "--network.clusters",   "2",        "--network.clients",
                         "3",    "--train.rounds", "2",  "--device.client.rate", "1 GFLOP/s"};
    arguments all = base;
    for (std::size_t i = 0; i < given.size(); i += 2) { // the last one counts
        const auto found = std::find(all.begin(), all.end(), given[i]);
        if (found != all.end()) {
            *(found + 1) = given[i + 1];
        } else {
            all.insert(all.end(), {given[i], given[i + 1]});
        }
    }
    const auto scene = read_scenario(parse_command_line(all, {}).values);
    const auto deploy =
        make_deployment(scene, tuned_by({.method = scene.tuning.method, .prompts = 3}), {{lab::classes, 20}}, {12, 12});
    ledger_run ledger(deploy);
    outcome sum;
    for (int round = 1; round <= 2; ++round) {
        const auto played = ledger.play(round);
        for (const auto& row : played.rounds) {
            sum.latency_s += row.latency_s;
            sum.energy_j += row.energy.total_j();
            sum.airtime_hz_s += std::accumulate(row.airtime_hz_s.begin(), row.airtime_hz_s.end(), 0.0);
        }
        for (const auto& event : played.events) {
            sum.resent += event.resent;
        }
    }
    return sum;
}

void expect_way(way expected, double now, double before, const std::string& what) {
    switch (expected) {
    case way::more: EXPECT_GT(now, before * (1 + 1e-9)) << what; break;
    case way::less: EXPECT_LT(now, before * (1 - 1e-9)) << what; break;
    case way::same: EXPECT_NEAR(now, before, 1e-10 * std::abs(before)) << what; break;
    case way::other: EXPECT_NE(now, before) << what; break;
    case way::any: break;
    }
}

struct change {
    std::string key, value;
    way latency, energy, airtime;
    arguments around{}; ///< Both with and without the change.
};

TEST(sensitivity, every_key_of_links_and_devices_moves_the_result_in_the_right_direction) {
    using enum way;
    std::vector<change> changes;
    const auto path = testing::TempDir() + "/gaisnet_sensitivity_trace.csv";
    std::ofstream(path) << "0, 10 Mbit/s\n";
    for (const std::string kind : {"cs_up", "cs_down", "d2d"}) {
        const std::string link = "link." + kind;
        // With sensing at no time, delivery too is on the critical path.
        const arguments fixed{"--sense.time", "0", "--sense.energy", "0"};
        auto radio = fixed;
        radio.insert(radio.end(), {"--" + link + ".path_loss", "pedestrian", "--" + link + ".shadowing", "0",
                                   "--" + link + ".max_efficiency", "none"});
        auto shared = fixed;
        shared.insert(shared.end(), {"--" + link + ".share", "maxmin"});
        auto lossy = fixed;
        lossy.insert(lossy.end(), {"--" + link + ".loss", "0.2"});
        auto small_packets = fixed;
        small_packets.insert(small_packets.end(), {"--" + link + ".packet", "100 B"});
        auto by_frequency = fixed;
        by_frequency.insert(by_frequency.end(),
                            {"--" + link + ".path_loss", "umi_los", "--" + link + ".max_efficiency", "none"});
        const std::vector<change> of_link{
            {link + ".rate", "10 Mbit/s", more, more, same, fixed}, // it takes a smaller band for longer
            {link + ".spectral_efficiency", "10", same, same, less, fixed},
            {link + ".energy_per_bit", "1 uJ/bit", same, other, less, fixed},
            {link + ".latency", "20 ms", more, more, same, fixed},
            {link + ".bandwidth", "40 MHz", same, same, more, fixed},
            {link + ".bandwidth", "40 MHz", less, less, any, radio},
            {link + ".share", "equal", more, more, kind == "d2d" ? any : same, fixed},
            {link + ".capacity", "5 Mbit/s", more, more, any, shared},
            {link + ".path_loss", "log_distance(60, 4.5)", more, more, more, radio},
            {link + ".frequency", "60 GHz", more, more, more, by_frequency},
            {link + ".shadowing", "8 dB", other, other, other, radio},
            {link + ".tx_power", "0 dBm", more, more, more, radio},
            {link + ".tx_gain", "10 dBi", less, less, less, radio},
            {link + ".rx_gain", "-10 dBi", more, more, more, radio},
            {link + ".noise_figure", "20 dB", more, more, more, radio},
            {link + ".max_efficiency", "0.5", more, more, more, radio},
            {link + ".fading", "rayleigh", other, other, other, radio},
            {link + ".trace", path, more, more, same, fixed},
            {link + ".jitter", "uniform(1, 20) ms", more, more, same, fixed},
            {link + ".loss", "0.2", more, more, more, small_packets},
            {link + ".packet", "100 B", other, other, other, lossy},
            {link + ".preset", "bluetooth5", more, more, any, fixed},
        };
        changes.insert(changes.end(), of_link.begin(), of_link.end());
    }
    const arguments reused{"--link.d2d.path_loss", "pedestrian", "--link.d2d.shadowing",      "0",
                           "--link.d2d.share",     "reuse",      "--link.d2d.max_efficiency", "none"};
    changes.push_back({"link.d2d.interference_range", "1 mm", less, less, any, reused});
    for (const std::string role : {"client", "edge"}) {
        const std::string device = "device." + role;
        const std::vector<change> of_device{
            {device + ".rate", "0.5 GFLOP/s", more, more, same},
            {device + ".efficiency", "0.001", more, more, same},
            {device + ".power", "1 kW", same, more, same},
            {device + ".tx_power", "100 W", same, more, same},
            {device + ".amplifier_efficiency", "0.01", same, more, same},
            {device + ".circuit_power", "100 W", same, more, same},
            {device + ".rx_power", "100 W", same, more, same},
            {device + ".idle_power", "100 W", same, more, same},
            {device + ".base_power", "100 W", same, more, same},
            {device + ".preset", "h100", any, more, same},
            {device + ".sleep_power", "1 mW", same, role == "edge" ? same : less, same}, // an edge has the last word
        };
        changes.insert(changes.end(), of_device.begin(), of_device.end());
        const arguments clocked{"--" + device + ".kappa",           "1e-26", "--" + device + ".frequency", "1 GHz",
                                "--" + device + ".flops_per_cycle", "1"};
        auto given = clocked;
        if (role == "client") {
            given.insert(given.end(), {"--device.client.rate", ""});
        }
        changes.push_back({device + ".kappa", "1e-25", same, more, same, given});
        changes.push_back({device + ".frequency", "0.5 GHz", more, any, same, given});
        changes.push_back({device + ".flops_per_cycle", "0.5", more, more, same, given});
    }
    changes.push_back({"sense.time", "5 ms", more, more, same});
    changes.push_back({"sense.energy", "5 J", same, more, same});
    changes.push_back({"device.client.battery", "1 mJ", less, less, less});

    std::set<std::string> covered{// these decide whether there is a run at all, which the next test looks at
                                  "link.cs_up.min_rate", "link.cs_down.min_rate", "link.d2d.min_rate",
                                  "device.client.memory", "device.edge.memory",
                                  // of measured speeds: stage_speed_test.cpp
                                  "device.client.factor", "device.edge.factor"};
    for (const auto& one : changes) {
        covered.insert(one.key);
        const auto before = result_of(one.around);
        auto with = one.around;
        with.insert(with.end(), {"--" + one.key, one.value});
        const auto now = result_of(with);
        const auto what = one.key + " = " + one.value;
        expect_way(one.latency, now.latency_s, before.latency_s, what + ": latency");
        expect_way(one.energy, now.energy_j, before.energy_j, what + ": energy");
        expect_way(one.airtime, now.airtime_hz_s, before.airtime_hz_s, what + ": spectrum");
    }
    for (const auto* link : {"cs_up", "cs_down", "d2d"}) {
        covered.insert("link." + std::string(link) + ".model"); // auto is all there is; tests/toys has another one
    }
    for (const auto& key : all_keys()) {
        const bool of_link = key.name.starts_with("link.") && !key.name.starts_with("link.backhaul.");
        const bool of_device = key.name.starts_with("device.") && !key.name.starts_with("device.cloud.");
        EXPECT_TRUE(!(of_link || of_device) || covered.contains(key.name)) << key.name << " is not in this test";
    }
    std::remove(path.c_str());
}

TEST(sensitivity, out_of_reach_is_refused) {
    EXPECT_THROW(result_of({"--link.d2d.path_loss", "pedestrian", "--link.d2d.min_rate", "1 Gbit/s"}), usage_error);
}

TEST(sensitivity, sharing_half_duplex_multicast_and_free_gradients_go_the_right_way) {
    const arguments at_once{"--sense.time", "0"};
    const auto with = [&](arguments more) {
        more.insert(more.end(), at_once.begin(), at_once.end());
        return result_of(more);
    };
    const auto plain = with({});
    EXPECT_GT(with({"--link.cs_up.share", "airtime"}).latency_s, plain.latency_s);
    arguments pipeline{"--train.schedule", "gpipe", "--train.micro_batches", "5", "--link.d2d.rate", "2 Mbit/s"};
    const auto full = with(pipeline);
    pipeline.insert(pipeline.end(), {"--half_duplex", "d2d"});
    EXPECT_GT(with(pipeline).latency_s, full.latency_s);
    const auto multicast = with({"--cs_down.multicast", "on"});
    EXPECT_LT(multicast.airtime_hz_s, plain.airtime_hz_s);
    EXPECT_NEAR(multicast.energy_j, plain.energy_j, 1e-9 * plain.energy_j) << "at once, in bands of their own";
    const arguments in_turns{"--link.cs_down.share", "equal", "--device.edge.base_power", "0"};
    auto once = in_turns;
    once.insert(once.end(), {"--cs_down.multicast", "on"});
    EXPECT_LT(with(once).energy_j, with(in_turns).energy_j);
    const auto free = with({"--charge.gradients", "off"});
    EXPECT_LT(free.latency_s, plain.latency_s);
    EXPECT_LT(free.airtime_hz_s, plain.airtime_hz_s);
    // Spatial reuse of the whole band beats sub-bands where interferers are far away.
    const arguments far{"--link.d2d.path_loss", "pedestrian", "--link.d2d.shadowing",     "0",
                        "--network.radius",     "5 km",       "--network.cluster_radius", "20 m"};
    auto reuse = far;
    reuse.insert(reuse.end(), {"--link.d2d.share", "reuse"});
    EXPECT_LT(with(reuse).latency_s, with(far).latency_s);
}

} // namespace
} // namespace gaisnet
