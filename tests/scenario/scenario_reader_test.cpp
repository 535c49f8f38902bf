#include "model/vit/vit.hpp"
#include "scenario/scenario.hpp"

#include "base/error.hpp"
#include "settings/sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using pairs = std::vector<std::pair<std::string, std::string>>;

settings values_with(const pairs& changes) {
    auto values = default_settings();
    for (const auto& [key, value] : changes) {
        values.at(key) = {value, "here"};
    }
    return values;
}

scenario read(const pairs& changes) { return read_scenario(values_with(changes)); }

/// The last change is the culprit: source, key and value stand in the message, and `why`.
void rejects(const pairs& changes, const std::string& why) {
    const auto& [key, value] = changes.back();
    EXPECT_THAT([&] { read(changes); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("here: " + key + " = " + value + ": "), HasSubstr(why))))
        << key << " = " << value;
}

TEST(scenario_reader, figures_beyond_reason_are_refused_where_they_stand) {
    rejects({{"link.cs_up.latency", "1e30 s"}}, "1e6 s");
    rejects({{"data.samples", "1000000000"}}, "10000000");
    rejects({{"sense.energy", "1e308 J"}}, "1e9 J");
    rejects({{"device.client.kappa", "tiny"}}, "not a finite number");
    rejects({{"device.edge.flops_per_cycle", "-1"}}, "above 0");
    rejects({{"device.edge.frequency", "-1 GHz"}}, "above 0");
}

TEST(scenario_reader, a_cable_is_no_radio) {
    const auto scene = read({{"cloud.period", "1"}});
    EXPECT_DOUBLE_EQ(scene.link.backhaul.wired_j_bit.value(), 26.3e-9);
    EXPECT_FALSE(
        read({{"link.backhaul.rate", ""}, {"link.backhaul.path_loss", "free_space"}}).link.backhaul.wired_j_bit)
        << "a microwave link";
    EXPECT_DOUBLE_EQ(read({{"link.d2d.energy_per_bit", "5 nJ/bit"}}).link.d2d.wired_j_bit.value(), 5e-9);
    rejects({{"link.d2d.energy_per_bit", "5 nJ/bit"}, {"link.d2d.bandwidth", "5 MHz"}}, "cable");
    rejects({{"link.d2d.rate", ""}, {"link.d2d.path_loss", "pedestrian"}, {"link.d2d.energy_per_bit", "5 nJ/bit"}},
            "radio link");
    rejects({{"link.d2d.rate", ""}, {"link.d2d.path_loss", "pedestrian"}, {"link.d2d.frequency", "5 GHz"}},
            "2.000 GHz only");
    rejects({{"link.d2d.bandwidth", "5 MHz"}, {"link.d2d.spectral_efficiency", "2"}}, "the band is given");
}

TEST(scenario_reader, defaults_make_a_scenario) {
    const auto scene = read({});
    EXPECT_EQ(scene.network.edges, 1);
    EXPECT_EQ(scene.network.clusters, 4);
    EXPECT_THAT(scene.network.clients, ElementsAre(4));
    EXPECT_TRUE(scene.split.blocks.empty());
    EXPECT_FALSE(scene.cluster.edge_stage);
    EXPECT_EQ(scene.model.depth, 4);
    EXPECT_EQ(scene.train.schedule, schedule_kind::serial);
    EXPECT_EQ(scene.train.stop.kind, stop_kind::rounds);
    EXPECT_EQ(scene.train.labels, label_route::chain);
    EXPECT_FALSE(scene.link.cs_up.bandwidth) << "a rate takes the band that it needs";
    EXPECT_EQ(scene.link.d2d.rate.parameters[0], 50e6);
    EXPECT_EQ(scene.device.client.rate.parameters[0], 236e9);
    EXPECT_EQ(scene.device.client.memory.parameters[0], 4.0 * 1024 * 1024 * 1024);
    EXPECT_DOUBLE_EQ(scene.sense.time, 1e-3);
    EXPECT_EQ(scene.placement, "auto");
}

TEST(scenario_reader, presets_are_the_sizes_of_vision_transformers) {
    const auto base = read({{"model.preset", "vit_base"}}).model;
    EXPECT_EQ(base.dim, 768);
    EXPECT_EQ(base.heads, 12);
    EXPECT_EQ(base.depth, 12);
    EXPECT_EQ(vit(base).tokens(), 197);
    EXPECT_EQ(read({{"model.preset", "vit_small"}}).model.dim, 384);
    EXPECT_EQ(read({{"model.preset", "vit_tiny"}, {"model.dim", "192"}}).model.heads, 3); // said again, rightly
    rejects({{"model.preset", "vit_tiny"}, {"model.dim", "64"}}, "model.preset = vit_tiny has 192");
    rejects({{"model.preset", "vit_huge"}}, "vit_base, vit_small, vit_tiny");
}

TEST(scenario_reader, dimensions_of_the_model_fit_together) {
    rejects({{"model.image", "33"}}, "multiple of model.patch = 8");
    rejects({{"model.dim", "65"}}, "multiple of model.heads = 4");
    rejects({{"model.depth", "0"}}, "from 1 to 10000 is accepted");
    rejects({{"model.weights", ""}}, "safetensors");
    rejects({{"tuning.prompts", "0"}}, "from 1 to 100000 is accepted");
}

TEST(scenario_reader, an_efficiency_is_never_drawn_above_1) {
    const auto efficiency = read({{"device.client.efficiency", "normal(0.9, 0.5)"}}).device.client.efficiency;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        random_stream stream(1, "test", "efficiency", 0, i);
        const double drawn = efficiency.draw(stream);
        EXPECT_GT(drawn, 0.0);
        EXPECT_LE(drawn, 1.0);
    }
    rejects({{"device.client.efficiency", "normal(1.1, 0.1)"}}, "at most 1");
}

TEST(scenario_reader, partitions) {
    EXPECT_EQ(read({}).data.partition.name, "iid");
    const auto skewed = read({{"data.partition", "dirichlet(0.3)"}}).data.partition;
    EXPECT_EQ(skewed.name, "dirichlet");
    EXPECT_DOUBLE_EQ(skewed.argument, 0.3);
    const auto some = read({{"data.partition", "classes(2)"}, {"classes.scope", "union"}}).data.partition;
    EXPECT_EQ(some.argument, 2);
    EXPECT_EQ(some.scope, class_scope::all_start_points);
    EXPECT_EQ(read({{"data.partition", "domain"}}).data.partition.name, "domain");
    for (const char* wrong : {"dirichlet", "dirichlet(", "iid(2)", "classes(two)", "classes(0)", "shards(2)", ""}) {
        rejects({{"data.partition", wrong}}, "data.partition");
    }
    rejects({{"data.partition", "dirichlet(0)"}}, "0.001");
    rejects({{"data.label_noise", "1.5"}}, "at most 1");
    rejects({{"data.blur", "-1"}}, "at least 0");
    rejects({{"data.source", "folder"}, {"data.root", "a, b"}}, "2 folders");
    rejects({{"sense.mode", "stream"}, {"sense.rate", "300"}}, "at most sense.buffer = 200");
    rejects({{"train.steps", "5"}, {"sense.mode", "stream"}}, "whole epochs");
}

TEST(scenario_reader, whole_numbers) {
    for (const char* value : {"", "0", "-1", "2.5", "three", "4 ", "0x4", "1e2"}) {
        rejects({{"train.rounds", value}}, "a whole number of at least 1 is accepted");
    }
    rejects({{"train.rounds", "99999999999"}}, "a whole number from 1 to 2147483647 is accepted");
    rejects({{"pretrain.shards", "65"}}, "at most pretrain.batch = 64 is accepted");
    rejects({{"pretrain.mask", "1"}}, "above 0 and below 1");
    rejects({{"data.available", "0"}}, "above 0");
    rejects({{"data.available", "uniform(0.5, 1.5)"}}, "at most 1");
    rejects({{"data.classes", "11"}}, "from 2 to 10");
    rejects({{"network.edges", "0"}}, "from 1 to 5000000");
    EXPECT_EQ(read({{"seed", "18446744073709551615"}}).seed, 18446744073709551615ULL);
    rejects({{"seed", "18446744073709551616"}}, "a whole number from 0");
    rejects({{"seed", "-1"}}, "a whole number from 0");
}

TEST(scenario_reader, ranks_are_whole_numbers_or_drawn) {
    const auto rank = [](const char* text) { return read({{"tuning.rank", text}}).tuning.rank; };
    EXPECT_EQ(rank("16").fixed(), 16);
    EXPECT_EQ(rank("16"), drawn_count(16));
    EXPECT_FALSE(rank("choice(4, 8)").fixed());
    EXPECT_EQ(rank("choice(4, 8)").text(), "choice(4, 8)");
    for (const char* bad : {"0", "2.5", "choice(4, 2.5)", "uniform(0, 4)", "normal(8, 2)", "100001"}) {
        rejects({{"tuning.rank", bad}},
                "a whole number of at least 1 and at most 100000, or choice(...) or uniform(...)");
    }
    rejects({{"tuning.rank", "8 GB"}}, "no unit");
    rejects({{"tuning.rank", ""}}, "not a finite number");
}

TEST(scenario_reader, clients_for_all_clusters_or_each) {
    const auto scene = read({{"network.clusters", "3"}, {"network.clients", "4, 1,2"}});
    EXPECT_THAT(scene.network.clients, ElementsAre(4, 1, 2));
    rejects({{"network.clusters", "3"}, {"network.clients", "4,1"}}, "2 numbers for 3 clusters");
    rejects({{"network.clients", "4,,1,1"}}, "a whole number");
    rejects({{"network.clients", ""}}, "one number, or one for each cluster");
    rejects({{"network.clients", "0"}}, "a whole number");
}

TEST(scenario_reader, cuts_fit_model_and_chain) {
    const auto scene =
        read({{"network.clusters", "2"}, {"network.clients", "4,3"}, {"split.blocks", "0,2,2,0; 0,4,0"}});
    EXPECT_THAT(scene.split.blocks, ElementsAre(ElementsAre(0, 2, 2, 0), ElementsAre(0, 4, 0)));
    EXPECT_THAT(read({{"split.blocks", "1,1,1,1"}}).split.blocks, ElementsAre(ElementsAre(1, 1, 1, 1)));
    rejects({{"split.blocks", "0,2,3,0"}}, "4 blocks, but 4 counts with sum 5");
    rejects({{"split.blocks", "2,2"}}, "cluster 0 has 4 stages");
    rejects({{"split.blocks", "0,2,2,0;0,2,2,0"}}, "2 lists for 4 clusters");
    rejects({{"split.blocks", "0,5,-1,0"}}, "a whole number from 0");
    rejects({{"split.blocks", "evenly"}}, "a whole number from 0");
}

TEST(scenario_reader, edge_stage_lies_behind_the_start_point) {
    EXPECT_EQ(read({{"cluster.edge_stage", "5"}}).cluster.edge_stage, 5);
    rejects({{"cluster.edge_stage", "1"}}, "of at least 2");
    rejects({{"cluster.edge_stage", "6"}}, "a chain of 4 clients accepts none, or 2 to 5");
    // The edge's stage counts among those of the list.
    EXPECT_NO_THROW(read({{"cluster.edge_stage", "2"}, {"split.blocks", "0,2,1,1,0"}}));
    rejects({{"cluster.edge_stage", "2"}, {"split.blocks", "0,2,2,0"}}, "5 stages");
}

TEST(scenario_reader, stop_rules) {
    const auto target = read({{"train.stop", "target(0.9)"}}).train.stop;
    EXPECT_EQ(target.kind, stop_kind::target);
    EXPECT_DOUBLE_EQ(target.accuracy, 0.9);
    EXPECT_DOUBLE_EQ(read({{"train.stop", "target(90 %)"}}).train.stop.accuracy, 0.9);
    const auto plateau = read({{"train.stop", "plateau(loss, 0.01, 3)"}}).train.stop;
    EXPECT_EQ(plateau.kind, stop_kind::plateau);
    EXPECT_EQ(plateau.metric, stop_metric::loss);
    EXPECT_DOUBLE_EQ(plateau.min_delta, 0.01);
    EXPECT_EQ(plateau.patience, 3);
    for (const char* value : {"never", "target", "target()", "target(0.9", "target(0.9, 2)", "plateau(loss)",
                              "plateau(speed, 0.1, 2)", "rounds(3)", ""}) {
        rejects({{"train.stop", value}}, "accepted: rounds, plateau");
    }
    rejects({{"train.stop", "target(1.5)"}}, "at most 1");
    rejects({{"train.stop", "target(0)"}}, "above 0");
    rejects({{"train.stop", "plateau(loss, 0.1, 0)"}}, "from 1");
    rejects({{"train.stop", "plateau(loss, -1, 2)"}}, "at least 0");
}

TEST(scenario_reader, micro_batches_fit_batch_and_schedule) {
    const auto scene = read({{"train.schedule", "1f1b"}, {"train.micro_batches", "5"}});
    EXPECT_EQ(scene.train.schedule, schedule_kind::one_f_one_b);
    EXPECT_EQ(scene.train.micro_batches, 5);
    rejects({{"train.schedule", "gpipe"}, {"train.micro_batches", "11"}}, "train.batch = 10");
    rejects({{"train.micro_batches", "2"}}, "gpipe and 1f1b accept more");
    rejects({{"train.schedule", "pipedream"}}, "serial, gpipe, 1f1b");
}

TEST(scenario_reader, numbers_and_words_of_training) {
    rejects({{"train.lr", "0"}}, "above 0");
    rejects({{"train.lr", "fast"}}, "not a finite number");
    rejects({{"train.lr", "nan"}}, "not a finite number");
    rejects({{"train.lr", "1 s"}}, "no unit");
    rejects({{"train.lr_final", "2"}}, "at most 1");
    rejects({{"train.momentum", "-0.1"}}, "at least 0");
    rejects({{"train.optimizer", "adam"}}, "sgd, adamw");
    rejects({{"train.labels", "cloud"}}, "chain, local");
    for (const char* wrong : {"yes", "0", "1", "-0.1", "0.5 s", "nan", "10 %"}) {
        rejects({{"events", wrong}}, "on, off, or a part of the clusters between 0 and 1");
    }
    EXPECT_EQ(read({}).events, 1.0);
    EXPECT_EQ(read({{"events", "off"}}).events, 0.0);
    EXPECT_EQ(read({{"events", "0.01"}}).events, 0.01);
    EXPECT_EQ(read({{"train.optimizer", "adamw"}}).train.optimizer, optimizer_kind::adamw);
    EXPECT_EQ(read({{"train.labels", "local"}}).train.labels, label_route::local);
}

TEST(scenario_reader, data) {
    EXPECT_THAT(read({{"data.mean", "0.1, 0.2,0.3"}}).data.mean, ElementsAre(0.1, 0.2, 0.3));
    rejects({{"data.mean", "0.5,0.5"}}, "three numbers");
    rejects({{"data.mean", ""}}, "three numbers");
    rejects({{"data.std", "0.5,0,0.5"}}, "above 0");
    rejects({{"data.train_fraction", "1"}}, "below 1");
    rejects({{"data.train_fraction", "0"}}, "above 0");
    EXPECT_THAT(
        [] {
            read({{"data.source", "folder"}});
        },
        ThrowsMessage<usage_error>(AllOf(HasSubstr("data.root"), HasSubstr("needs an image folder"))));
    EXPECT_EQ(read({{"data.source", "folder"}, {"data.root", "/some/where"}}).data.roots.at(0), "/some/where");
    rejects({{"data.damaged", "repair"}}, "skip, fatal");
}

TEST(scenario_reader, links_and_devices_carry_units) {
    const auto scene = read({{"link.d2d.rate", "uniform(10, 50) Mbit/s"}, {"device.client.tx_power", "30 dBm"}});
    EXPECT_EQ(scene.link.d2d.rate.kind, distribution::family::uniform);
    EXPECT_DOUBLE_EQ(scene.device.client.tx_power.parameters[0], 1.0);
    rejects({{"link.d2d.rate", "50"}}, "a unit is missing");
    rejects({{"link.d2d.rate", "50 Mbits/s"}}, "did you mean Mbit/s?");
    rejects({{"link.d2d.rate", "0"}}, "above 0");
    rejects({{"link.d2d.rate", "uniform(0, 5) Mbit/s"}}, "above 0"); // a link that may never deliver
    rejects({{"link.d2d.rate", "choice(1, 0) Mbit/s"}}, "above 0");
    rejects({{"link.d2d.rate", ""}}, "a value is missing");
    rejects({{"link.cs_up.latency", "-1 ms"}}, "at least 0");
    rejects({{"device.client.rate", "0 FLOP/s"}}, "above 0");
    EXPECT_NO_THROW(read({{"link.cs_up.latency", "0"}, {"device.client.idle_power", "0 W"}}));
}

TEST(scenario_reader, quantities_without_distributions) {
    EXPECT_DOUBLE_EQ(read({{"sense.energy", "3 mJ"}}).sense.energy, 3e-3);
    rejects({{"sense.time", "uniform(1, 2) ms"}}, "no distribution");
    EXPECT_DOUBLE_EQ(read({{"runtime.silence", "1 min"}}).runtime.silence, 60.0);
    rejects({{"runtime.silence", "1 s"}}, "3 s to 600 s");
    rejects({{"runtime.silence", "1 h"}}, "3 s to 600 s");
}

TEST(scenario_reader, clusters_that_compute_together) {
    EXPECT_TRUE(read({}).runtime.fuse.automatic);
    EXPECT_TRUE(read({{"runtime.fuse", "auto"}}).runtime.fuse.automatic);
    EXPECT_FALSE(read({{"runtime.fuse", "off"}}).runtime.fuse.automatic);
    EXPECT_EQ(read({{"runtime.fuse", "off"}}).runtime.fuse.clusters, 1);
    EXPECT_EQ(read({{"runtime.fuse", "12"}}).runtime.fuse.clusters, 12);
    for (const auto* wrong : {"0", "-1", "2.5", "on", "3x", "99999999999"}) {
        rejects({{"runtime.fuse", wrong}}, "off, auto, or a number of clusters");
    }
    rejects({{"clock", "real"}, {"runtime.fuse", "2"}}, "clock = real");
    rejects({{"clock", "real"}, {"runtime.merge_micro_batches", "on"}}, "clock = real");
    rejects({{"tuning.method", "full"}, {"runtime.fuse", "2"}}, "tuning.method = full");
    EXPECT_EQ(read({{"runtime.fuse", "1"}, {"clock", "real"}}).runtime.fuse.clusters, 1);
}

TEST(scenario_reader, power_by_frequency_needs_all_its_parts) {
    const pairs all{{"device.client.kappa", "1e-28"},
                    {"device.client.frequency", "uniform(1, 2) GHz"},
                    {"device.client.flops_per_cycle", "8"}};
    const auto device = read(all).device.client;
    EXPECT_DOUBLE_EQ(device.kappa.value(), 1e-28);
    EXPECT_EQ(device.frequency.value().parameters, (std::vector<double>{1e9, 2e9}));
    EXPECT_DOUBLE_EQ(device.flops_per_cycle, 8.0);
    for (std::size_t missing = 0; missing < all.size(); ++missing) {
        auto part = all;
        part.erase(part.begin() + static_cast<std::ptrdiff_t>(missing));
        EXPECT_THAT([&] { read(part); },
                    ThrowsMessage<usage_error>(AllOf(HasSubstr(all[missing].first), HasSubstr("this one is missing"))));
    }
    for (const auto& [key, value] : pairs{{"device.client.rate", "1 TFLOP/s"}, {"device.client.power", "3 W"}}) {
        auto both = all;
        both.emplace_back(key, value);
        rejects(both, "give it or them");
    }
}

TEST(scenario_reader, paths_may_begin_with_a_variable) {
    ::setenv("GAISNET_TEST_FOLDER", "/data/images", 1);
    EXPECT_EQ(read({{"data.source", "folder"}, {"data.root", "${GAISNET_TEST_FOLDER}/flowers"}}).data.roots.at(0),
              "/data/images/flowers");
    ::unsetenv("GAISNET_TEST_FOLDER");
    rejects({{"data.root", "${GAISNET_TEST_FOLDER}/flowers"}}, "GAISNET_TEST_FOLDER is not set");
    // A comma parts two folders, unless it is in the name of one that is there.
    std::string folder = (std::filesystem::temp_directory_path() / "gaisnet-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const auto flowers = folder + "/red, white,blue";
    std::filesystem::create_directory(flowers);
    const auto roots = [&](const std::string& text) {
        return read({{"data.source", "folder"}, {"data.root", text}, {"network.edges", "2"}}).data.roots;
    };
    EXPECT_EQ(roots(flowers), std::vector<std::string>{flowers});
    EXPECT_EQ(roots(flowers + ", " + folder), (std::vector<std::string>{flowers, folder}));
    EXPECT_EQ(roots(folder + "," + flowers), (std::vector<std::string>{folder, flowers}));
    EXPECT_EQ(roots(folder + "/red, " + folder + "/white"),
              (std::vector<std::string>{folder + "/red", folder + "/white"}));
    std::filesystem::remove_all(folder);
    rejects({{"data.root", "/data/images"}}, "data.source = folder");
    EXPECT_EQ(read({{"output", "a/$b.h5"}}).output, "a/$b.h5");
    rejects({{"output", ""}}, "a path is accepted");
}

TEST(scenario_reader, requests_that_wait_for_service) {
    EXPECT_FALSE(read({}).serve.requests_wait());
    EXPECT_FALSE(
        read({{"serve.arrivals", "poisson"}, {"serve.mode", "table"}, {"serve.profit", "1,2"}, {"serve.cost", "1"}})
            .serve.requests_wait());
    const auto scene = read({{"network.edges", "2"},
                             {"serve.arrivals", "poisson"},
                             {"serve.rate", "3"},
                             {"serve.deadline", "500 ms, 2 s"},
                             {"serve.policy", "fair"},
                             {"serve.forecast", "known"}});
    EXPECT_TRUE(scene.serve.requests_wait());
    EXPECT_THAT(scene.serve.rate, ElementsAre(3.0, 3.0));
    EXPECT_THAT(scene.serve.deadline_s, ElementsAre(0.5, 2.0));
    EXPECT_TRUE(scene.serve.knows_demand);
    EXPECT_THAT(read({}).serve.deadline_s, ElementsAre(testing::Gt(1e300))) << "none";
    rejects({{"serve.arrivals", "poisson(3)"}}, "accepted: given, poisson, burst, trace");
    rejects({{"serve.rate", "-1"}}, "at least 0");
    rejects({{"serve.rate", "1,2"}}, "2 numbers for 1 edges");
    rejects({{"serve.deadline", "2"}}, "ms");
    rejects({{"serve.deadline", "0 s"}}, "a time above 0 is accepted");
    rejects({{"network.edges", "2"}, {"serve.deadline", "1 s, 2 s, 3 s"}}, "3 numbers for 2 edges");
    rejects({{"serve.smoothing", "0"}}, "above 0");
    rejects({{"serve.forecast", "guessed"}}, "accepted: smoothed, known");
    rejects({{"serve.per_session", "-1"}}, "whole number");
    rejects({{"serve.policy", "fair"}}, "serve.arrivals = poisson, burst or trace");
    EXPECT_THAT(
        [] {
            read({{"serve.arrivals", "trace"}});
        },
        ThrowsMessage<usage_error>(HasSubstr("serve.arrivals = trace needs a file of times")));
}

TEST(scenario_reader, all_policies_of_a_table_are_those_for_which_nobody_waits) {
    const auto scene =
        read({{"serve.mode", "table"}, {"serve.profit", "1,2"}, {"serve.cost", "1"}, {"serve.policy", "all"}});
    EXPECT_THAT(scene.serve.policies, ElementsAre(service_policy::mlcp, service_policy::msip, service_policy::random,
                                                  service_policy::always_infer, service_policy::oracle));
}

TEST(scenario_reader, what_belongs_to_later_versions) {
    rejects({{"time_scale", "2"}}, "clock = real");
    rejects({{"placement", "random"}}, "auto, cluster, node");
}

} // namespace
} // namespace gaisnet
