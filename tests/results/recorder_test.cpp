#include "results/recorder.hpp"

#include "base/error.hpp"
#include "results/hdf5_file.hpp"
#include "results/recording.hpp"
#include "results/schema.hpp"
#include "support/text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using recording::header;
using recording::integers;
using recording::make;
using recording::reals;
using recording::recorder_test;
using recording::root_text;
using recording::sample_round;
using recording::texts;
using recording::usage_message;

TEST_F(recorder_test, ForeignReaderFindsWhatWasWritten) {
    {
        auto writer = make(file());
        writer.write_round(sample_round(1).data());
        writer.write_round(sample_round(2).data());
        writer.finish(run_status::complete, "rounds", true);
    }
    EXPECT_EQ(root_text(file(), "status"), "complete");
    EXPECT_EQ(root_text(file(), "stop_reason"), "rounds");
    EXPECT_EQ(root_text(file(), "schema"), "gaisnet");
    EXPECT_EQ(root_text(file(), "config"), header().config);
    EXPECT_EQ(nlohmann::json::parse(root_text(file(), "libraries"))["HDF5"], "1.10");
    EXPECT_EQ(reals(file(), "/rounds", "latency_s"), (std::vector{11.0, 12.0}));
    EXPECT_EQ(integers(file(), "/rounds", "bytes_d2d"), (std::vector<std::uint64_t>{300, 600}));
    EXPECT_EQ(reals(file(), "/rounds", "airtime_cs_up_hz_s"), (std::vector{1.5, 3.0}));
    EXPECT_EQ(reals(file(), "/rounds", "airtime_backhaul_hz_s"), (std::vector{4.5, 9.0}));
    EXPECT_EQ(texts(file(), "/topology/nodes", "role"), (std::vector<std::string>{"edge", "client"}));
    EXPECT_EQ(texts(file(), "/topology/links", "from_name"), (std::vector<std::string>{"c0.0"}));
    EXPECT_EQ(texts(file(), "/topology/ranks", "host"), (std::vector<std::string>{"n1", "n2"}));
    EXPECT_EQ(texts(file(), "/topology/ranks", "gpu_uuid"), (std::vector<std::string>{"GPU-1", "GPU-2"}));
    EXPECT_EQ(texts(file(), "/energy", "name"), (std::vector<std::string>{"edge0", "c0.0", "edge0", "c0.0"}));
    EXPECT_EQ(reals(file(), "/energy", "total_j"), (std::vector{31.0, 31.0, 31.0, 31.0}));
    EXPECT_EQ(integers(file(), "/memory", "total_bytes"), (std::vector<std::uint64_t>{1000, 1001, 1000, 1001}));
    EXPECT_EQ(integers(file(), "/clients", "samples").size(), 4U);
    EXPECT_EQ(texts(file(), "/events", "kind").at(1), "send_modules_up");
    EXPECT_EQ(texts(file(), "/events", "link").at(0), "none");
    EXPECT_EQ(texts(file(), "/communication/links", "cause"),
              (std::vector<std::string>{"send_modules_up", "send_modules_up"}));
    EXPECT_EQ(integers(file(), "/communication/links", "bytes").at(1), 385000U);
    EXPECT_EQ(texts(file(), "/communication/transport", "transport").at(0), "loopback");
    EXPECT_EQ(integers(file(), "/communication/transport", "bytes").at(0), 4096U);
}

TEST_F(recorder_test, EveryColumnSaysItsUnitAndMeaning) {
    make(file()).finish(run_status::complete, "rounds", false);
    const H5::H5File opened(file(), H5F_ACC_RDONLY);
    for (const char* path :
         {"/topology/nodes", "/topology/links", "/topology/ranks", "/rounds", "/clients", "/energy", "/memory",
          "/events", "/fidelity", "/communication/links", "/communication/nodes", "/communication/transport"}) {
        const auto table = opened.openDataSet(path);
        EXPECT_FALSE(read_text(table, "description").empty()) << path;
        const auto listed = nlohmann::json::parse(read_text(table, "columns"));
        const auto type = table.getCompType();
        ASSERT_EQ(static_cast<int>(listed.size()), type.getNmembers()) << path;
        for (int member = 0; member < type.getNmembers(); ++member) {
            const auto name = type.getMemberName(static_cast<unsigned>(member));
            EXPECT_EQ(listed[static_cast<std::size_t>(member)]["name"], name) << path;
            EXPECT_FALSE(read_text(table, "description:" + name).empty()) << path << " " << name;
            const bool text = type.getMemberDataType(static_cast<unsigned>(member)).getClass() == H5T_STRING;
            EXPECT_EQ(table.attrExists("unit:" + name), !text) << path << " " << name;
        }
    }
    // A suffix that names a unit must not contradict the unit.
    EXPECT_EQ(read_text(opened.openDataSet("/rounds"), "unit:latency_s"), "s");
    EXPECT_EQ(read_text(opened.openDataSet("/rounds"), "unit:airtime_d2d_hz_s"), "Hz s");
    EXPECT_EQ(read_text(opened.openDataSet("/energy"), "unit:total_j"), "J");
}

TEST_F(recorder_test, UnfinishedRunIsAborted) {
    {
        auto writer = make(file());
        writer.write_round(sample_round(1).data());
    }
    EXPECT_EQ(root_text(file(), "status"), "aborted");
    EXPECT_EQ(reals(file(), "/rounds", "latency_s").size(), 1U);
}

TEST_F(recorder_test, LongReasonIsCutBetweenCharacters) {
    std::string reason(255, 'x');
    reason += "\u00e9 and more"; // The two bytes of the accented letter straddle the 256 that fit.
    make(file()).finish(run_status::aborted, reason, false);
    EXPECT_EQ(root_text(file(), "stop_reason"), std::string(255, 'x'));
}

TEST_F(recorder_test, EventsCanBeLeftOutAndTrafficStays) {
    {
        auto writer = make(file(), {.overwrite = false, .events = 0});
        writer.write_round(sample_round(1).data());
        writer.finish(run_status::complete, "rounds", true);
    }
    EXPECT_TRUE(texts(file(), "/events", "kind").empty());
    EXPECT_EQ(integers(file(), "/communication/links", "messages"), (std::vector<std::uint64_t>{2}));
}

TEST_F(recorder_test, EventsOfAPartOfTheClustersAreKeptWhole) {
    std::vector<node_description> nodes{{.name = "edge0", .role = node_role::edge, .edge = 0}};
    std::vector<event_row> events(1); // the edge's own
    constexpr std::uint32_t clusters = 40;
    for (std::uint32_t c = 0; c < clusters; ++c) {
        nodes.push_back({.name = "c" + std::to_string(c) + ".0", .role = node_role::client, .edge = 0});
        nodes.back().cluster = static_cast<std::int32_t>(c);
        events.push_back({.node = c + 1, .peer = c + 1, .kind = event_kind::forward});
        events.push_back({.node = c + 1,
                          .kind = event_kind::send_modules_up,
                          .link = link_class::cs_up,
                          .bytes = 1,
                          .receivers = 1});
        events.push_back({.peer = c + 1,
                          .kind = event_kind::send_modules_down,
                          .link = link_class::cs_down,
                          .bytes = 1,
                          .receivers = 1});
    }
    {
        auto writer = recorder::create(file(), header(), nodes, {}, {.events = 0.1});
        writer.write_round({.rounds = {}, .nodes = {}, .events = events, .transports = {}});
        writer.finish(run_status::complete, "rounds", true);
    }
    std::vector<std::uint64_t> expected{0};
    for (const std::uint64_t client : {1, 10, 20, 30, 40}) { // of the first cluster, and of every tenth
        expected.insert(expected.end(), {client, client, 0});
    }
    EXPECT_EQ(integers(file(), "/events", "node"), expected);
    EXPECT_EQ(integers(file(), "/communication/links", "messages"), (std::vector<std::uint64_t>{clusters, clusters}));
}

TEST_F(recorder_test, FinishedFileTakesNoMoreRounds) {
    auto writer = make(file());
    writer.finish(run_status::complete, "rounds", true);
    EXPECT_THROW(writer.write_round(sample_round(1).data()), runtime_failure);
    EXPECT_THROW(writer.finish(run_status::aborted, "again", true), runtime_failure);
    EXPECT_EQ(root_text(file(), "status"), "complete");
}

TEST_F(recorder_test, ExistingFileNeedsOverwrite) {
    { std::ofstream(file()) << "not ours"; }
    const auto message = usage_message([&] { make(file()); });
    EXPECT_TRUE(contains(message, file())) << message;
    EXPECT_TRUE(contains(message, "--overwrite") && contains(message, "--resume auto") && contains(message, "--output"))
        << message;
    std::ifstream kept(file());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "not ours");
    make(file(), {.overwrite = true}).finish(run_status::complete, "rounds", true);
    EXPECT_EQ(root_text(file(), "status"), "complete");
}

TEST_F(recorder_test, PathsThatCannotBeWrittenAreUsageErrors) {
    for (const std::string& path : {file("missing/run.h5"), directory_.string(), std::string("/dev/full"),
                                    std::string("/proc/gaisnet.h5"), std::string()}) {
        const auto message = usage_message([&] { make(path, {.overwrite = true}); });
        EXPECT_TRUE(contains(message, "'" + path + "'")) << message;
        EXPECT_TRUE(contains(message, "--output")) << message;
    }
}

TEST_F(recorder_test, NamesThatAreNoneOrTooLongAreUsageErrors) {
    EXPECT_TRUE(contains(usage_message([&] { make("-", {.overwrite = true}); }), "'-'"));
    const auto message = usage_message([&] { make(file(std::string(240, 'b') + ".h5")); });
    EXPECT_TRUE(contains(message, "too long") && contains(message, "145 bytes")) << message;
    make(file(std::string(142, 'b') + ".h5")).finish(run_status::complete, "rounds", true);
}

TEST_F(recorder_test, AFileThatWasRemovedMeanwhileIsAFailure) {
    auto writer = make(file());
    writer.write_round(sample_round(1).data());
    fs::remove(file());
    EXPECT_THROW(writer.finish(run_status::complete, "rounds", true), runtime_failure);
    auto other = make(file());
    fs::rename(file(), file("moved.h5"));
    std::ofstream(file()) << "somebody else's";
    EXPECT_THROW(other.finish(run_status::complete, "rounds", true), runtime_failure);
    EXPECT_EQ(root_text(file("moved.h5"), "status"), "complete") << "it is whole all the same";
}

TEST_F(recorder_test, AnotherProcessReadsWhileTheRunGoesOn) {
    std::string python;
    const char* chosen = std::getenv("PYTHON");
    for (const std::string& name :
         {std::string(chosen != nullptr ? chosen : ""), std::string("python3"), std::string("/usr/bin/python3")}) {
        if (python.empty() && !name.empty() && std::system((name + " -c 'import h5py' 2>/dev/null").c_str()) == 0) {
            python = name;
        }
    }
    if (python.empty()) {
        GTEST_SKIP() << "no Python with h5py (Debian package python3-h5py) was found";
    }
    const auto script = file("read.py");
    {
        std::ofstream(script) << "import sys, h5py\n"
                                 "with h5py.File(sys.argv[1], 'r', swmr=True) as run:\n"
                                 "    print(run.attrs['status'].decode(), *run['rounds']['latency_s'],\n"
                                 "          run['events']['kind'][-1].decode(), run.attrs['converged'])\n";
    }
    const auto read = [&] {
        EXPECT_EQ(std::system((python + " " + script + " " + file() + " > " + file("out.txt")).c_str()), 0);
        std::ifstream out(file("out.txt"));
        std::string line;
        std::getline(out, line);
        return line;
    };
    auto writer = make(file());
    writer.write_round(sample_round(1).data());
    EXPECT_EQ(read(), "running 11.0 send_modules_up False");
    writer.write_round(sample_round(2).data());
    EXPECT_EQ(read(), "running 11.0 12.0 send_modules_up False");
    writer.finish(run_status::complete, "target", true);
    EXPECT_EQ(read(), "complete 11.0 12.0 send_modules_up True");
}

TEST(communication, IsSummedByRoundClassAndCause) {
    const std::vector<event_row> events{
        {1, 0, event_kind::send_modules_up, link_class::cs_up, 2, 0, 1, 1, 0, 10, 0.5, 100},
        {1, 2, event_kind::send_forward, link_class::d2d, 1, 0, 2, 2, 0, 20, 0.25, 200},
        {1, 1, event_kind::backward, link_class::none, 1, 0, 9, 9, 5e9, 0, 7, 0},
        {2, 1, event_kind::send_gradient, link_class::d2d, 1, 2, 3, 3, 0, 30, 0.125, 300},
        {1, 2, event_kind::send_forward, link_class::d2d, 1, 3, 6, 6, 0, 40, 0.0625, 400},
    };
    const auto rows = communication_of(events);
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].cause, event_kind::send_forward);
    EXPECT_EQ(rows[0].messages, 2U);
    EXPECT_EQ(rows[0].bytes, 60U);
    EXPECT_EQ(rows[0].occupied_s, 5.0);
    EXPECT_EQ(rows[0].airtime_hz_s, 600.0);
    EXPECT_EQ(rows[0].energy_j, 0.3125);
    EXPECT_EQ(rows[1].cause, event_kind::send_gradient);
    EXPECT_EQ(rows[2].round, 2U);
    EXPECT_EQ(rows[2].link, link_class::cs_up);
}

} // namespace
} // namespace gaisnet
