// device.*.preset and link.*.preset: figures under one name.

#include "scenario/presets.hpp"

#include "base/registry.hpp"
#include "scenario/scenario.hpp"
#include "settings/identity.hpp"
#include "settings/sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace gaisnet {
namespace {

settings preset_settings(const std::map<std::string, std::string>& values) {
    auto all = default_settings();
    for (const auto& [key, value] : values) {
        all[key] = {value, "command line"};
    }
    return resolve(all);
}

scenario read_presets(const std::map<std::string, std::string>& values) {
    return read_scenario(preset_settings(values), service_kind::fine_tuning);
}

TEST(presets, set_the_figures_of_a_device) {
    const auto client = read_presets({{"device.client.preset", "jetson_nano"}}).device.client;
    EXPECT_EQ(client.rate.lowest(), 472e9);
    EXPECT_EQ(client.efficiency.lowest(), 0.5);
    EXPECT_EQ(client.power.lowest(), 8.0);
    EXPECT_EQ(client.memory.lowest(), 4e9);
    EXPECT_EQ(read_presets({{"device.client.preset", "jetson_nano"}}).device.edge.rate.lowest(),
              scenario().device.edge.rate.lowest());
}

TEST(presets, leave_alone_what_is_given) {
    const auto client =
        read_presets({{"device.client.preset", "jetson_nano"}, {"device.client.memory", "2 GB"}}).device.client;
    EXPECT_EQ(client.rate.lowest(), 472e9);
    EXPECT_EQ(client.memory.lowest(), 2e9);
}

TEST(presets, of_links_tell_directions_apart) {
    const auto link = read_presets({{"link.cs_up.preset", "nr_fr1"}, {"link.cs_down.preset", "nr_fr1"}}).link;
    EXPECT_EQ(link.cs_up.rate.lowest(), 23e6);
    EXPECT_EQ(link.cs_down.rate.lowest(), 230e6);
    EXPECT_EQ(read_presets({{"link.d2d.preset", "wifi6"}}).link.d2d.share, share_kind::airtime);
}

TEST(presets, give_way_to_other_ways_to_say_a_rate) {
    const auto link = read_presets({{"link.d2d.preset", "wifi6"}, {"link.d2d.path_loss", "free_space"}}).link;
    EXPECT_TRUE(link.d2d.radio.has_value());
    EXPECT_EQ(link.d2d.bandwidth->lowest(), 80e6);
    const auto client = read_presets({{"device.client.preset", "raspberry_pi_5"},
                                      {"device.client.frequency", "1 GHz"},
                                      {"device.client.flops_per_cycle", "8"},
                                      {"device.client.kappa", "1e-27"}})
                            .device.client;
    EXPECT_EQ(client.memory.lowest(), 8e9);
}

TEST(presets, are_the_same_scenario_as_their_figures) {
    const auto named = preset_settings({{"device.client.preset", "h100"}});
    const auto by_figures = preset_settings({{"device.client.rate", "989 TFLOP/s"},
                                             {"device.client.efficiency", "0.4"},
                                             {"device.client.power", "700 W"},
                                             {"device.client.base_power", "100 W"},
                                             {"device.client.memory", "80 GB"}});
    EXPECT_EQ(identity(named, "finetune"), identity(by_figures, "finetune"));
}

TEST(presets, are_accepted_by_every_class_and_have_a_source) {
    for (const auto* preset : registry<device_preset>::all()) {
        EXPECT_GT(std::string(preset->source).size(), 10U) << preset->name;
        for (const char* device : {"cloud", "edge", "client"}) {
            EXPECT_NO_THROW(read_presets({{std::string("device.") + device + ".preset", preset->name}}))
                << preset->name;
        }
        for (const auto& value : preset->values) {
            EXPECT_TRUE(default_settings().contains(std::string("device.client.") + value.key)) << value.key;
        }
    }
    for (const auto* preset : registry<link_preset>::all()) {
        EXPECT_GT(std::string(preset->source).size(), 10U) << preset->name;
        for (const char* link : {"cs_up", "cs_down", "d2d", "backhaul"}) {
            EXPECT_NO_THROW(read_presets({{std::string("link.") + link + ".preset", preset->name}}))
                << preset->name << link;
        }
        for (const auto& value : preset->values) {
            EXPECT_TRUE(default_settings().contains(std::string("link.d2d.") + value.key)) << value.key;
        }
    }
}

TEST(presets, that_are_none_are_refused_with_those_there_are) {
    try {
        read_presets({{"device.client.preset", "jetson"}});
        FAIL();
    } catch (const usage_error& problem) {
        EXPECT_THAT(problem.what(), testing::HasSubstr("h100, jetson_nano, jetson_orin_nano"));
    }
}

} // namespace
} // namespace gaisnet
