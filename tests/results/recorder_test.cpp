#include "results/recorder.hpp"

#include "base/error.hpp"
#include "results/hdf5_file.hpp"
#include "results/schema.hpp"
#include "support/text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;

std::vector<node_description> two_nodes() {
    node_description edge;
    edge.name = "edge0";
    edge.role = node_role::edge;
    edge.edge = 0;
    edge.rate_flop_s = 1e12;
    node_description client;
    client.name = "c0.0";
    client.role = node_role::client;
    client.edge = client.cluster = client.position = 0;
    client.samples = 40;
    return {edge, client};
}

std::vector<link_description> one_link() {
    return {{1, 0, link_class::cs_up, 5e7, 0.002, 2e7, 0.2, 0.0, 0.01, 120.0, 90.5, "equal"}};
}

run_header header() {
    run_header result;
    result.software_version = "1.2.3";
    result.git_version = "abc";
    result.libraries = {{"HDF5", "1.10"}, {"MPI", "4.1"}};
    result.config =
        "[train]\nrounds = 3\n" + std::string(200000, '#'); // Larger than an attribute of fixed size may be.
    result.identity = "identity-1";
    result.seed = 18446744073709551615ULL;
    result.clock = "virtual";
    result.command = "gaisnet finetune";
    return result;
}

/// A round whose numbers all differ and follow from the round's number.
struct sample_round {
    explicit sample_round(std::uint32_t number) {
        round_row row;
        row.round = number;
        row.accuracy = 0.5 + 0.1 * number;
        row.latency_s = 10.0 + number;
        row.bytes = {0, 100U * number, 200U * number, 300U * number, 400U * number};
        row.airtime_hz_s = {0, 1.5 * number, 2.5 * number, 3.5 * number, 4.5 * number};
        rounds.push_back(row);
        for (std::uint32_t node = 0; node < 2; ++node) {
            node_row work;
            work.node = node;
            work.round = number;
            work.busy_s = 0.25 * number;
            work.sense_j = 1;
            work.compute_j = 2;
            work.transmit_j = 4;
            work.receive_j = 8;
            work.idle_j = 16;
            work.samples = 40;
            work.total_bytes = 1000 + node;
            nodes.push_back(work);
        }
        events.push_back({1, 1, event_kind::forward, link_class::none, number, 0.0, 0.5, 0.5, 1e9, 0, 3.0, 0.0});
        events.push_back(
            {1, 0, event_kind::send_modules_up, link_class::cs_up, number, 0.5, 0.75, 0.752, 0, 384000, 0.5, 5e6});
        events.push_back(
            {1, 0, event_kind::send_modules_up, link_class::cs_up, number, 1.5, 2.0, 2.002, 0, 1000, 0.25, 1e6});
        transports.push_back({number, "loopback", 3, 4096});
    }
    round_data data() const { return {rounds, nodes, events, transports}; }

    std::vector<round_row> rounds;
    std::vector<node_row> nodes;
    std::vector<event_row> events;
    std::vector<transport_row> transports;
};

/// A file name of its own for every test; the directory goes with it.
class recorder_test : public ::testing::Test {
protected:
    recorder_test() {
        std::string pattern = (fs::temp_directory_path() / "gaisnet-recorder-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~recorder_test() override {
        std::error_code ignored;
        fs::remove_all(directory_, ignored);
    }
    std::string file(const std::string& name = "run.h5") const { return (directory_ / name).string(); }

    fs::path directory_;
};

recorder make(const std::string& path, recorder_options options = {}) {
    const auto nodes = two_nodes();
    const auto links = one_link();
    if (options.ranks.empty()) {
        options.ranks = {{0, "n1", "0-3", "H100", 0, "GPU-1", "nccl"}, {1, "n2", "4-7", "H100", 1, "GPU-2", "nccl"}};
    }
    return recorder::create(path, header(), nodes, links, options);
}

/// Reads one column by its name, as a foreign reader would; the writer's own code is not involved.
template <typename T>
std::vector<T> column_of(const std::string& path, const std::string& table, const std::string& name,
                         const H5::DataType& type) {
    const H5::H5File file(path, H5F_ACC_RDONLY);
    const auto dataset = file.openDataSet(table);
    hsize_t rows = 0;
    dataset.getSpace().getSimpleExtentDims(&rows);
    H5::CompType member(sizeof(T));
    member.insertMember(name, 0, type);
    std::vector<T> values(rows);
    dataset.read(values.data(), member);
    return values;
}
std::vector<double> reals(const std::string& path, const std::string& table, const std::string& name) {
    return column_of<double>(path, table, name, H5::PredType::NATIVE_DOUBLE);
}
std::vector<std::uint64_t> integers(const std::string& path, const std::string& table, const std::string& name) {
    return column_of<std::uint64_t>(path, table, name, H5::PredType::NATIVE_UINT64);
}
std::vector<std::string> texts(const std::string& path, const std::string& table, const std::string& name) {
    using cell = std::array<char, 64>;
    H5::StrType type(H5::PredType::C_S1, sizeof(cell));
    type.setCset(H5T_CSET_UTF8);
    std::vector<std::string> result;
    for (const auto& value : column_of<cell>(path, table, name, type)) {
        result.emplace_back(value.data());
    }
    return result;
}
std::string root_text(const std::string& path, const std::string& name) {
    const H5::H5File file(path, H5F_ACC_RDONLY);
    return read_text(file.openGroup("/"), name);
}

/// The message of the usage_error that `action` must throw.
std::string usage_message(const std::function<void()>& action) {
    try {
        action();
    } catch (const usage_error& failure) {
        return failure.what();
    }
    ADD_FAILURE() << "no usage_error was thrown";
    return {};
}

/// Runs `action` in a child that ends through exit(), so that a library that crashes at exit is seen.
int status_of_child(const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 99;
        try {
            code = action();
        } catch (const std::exception& failure) {
            std::fprintf(stderr, "child: %s\n", failure.what());
        }
        std::exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

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
        auto writer = make(file(), {.overwrite = false, .events = false});
        writer.write_round(sample_round(1).data());
        writer.finish(run_status::complete, "rounds", true);
    }
    EXPECT_TRUE(texts(file(), "/events", "kind").empty());
    EXPECT_EQ(integers(file(), "/communication/links", "messages"), (std::vector<std::uint64_t>{2}));
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

TEST_F(recorder_test, SecondWriterIsRefused) {
    auto writer = make(file());
    writer.write_round(sample_round(1).data());
    const auto message = usage_message([&] { make(file(), {.overwrite = true}); });
    EXPECT_TRUE(contains(message, "another process")) << message;
    writer.write_round(sample_round(2).data());
    writer.finish(run_status::complete, "rounds", true);
    EXPECT_EQ(reals(file(), "/rounds", "latency_s").size(), 2U);
}

TEST_F(recorder_test, NoRoomAtTheStartIsAUsageErrorAndLeavesNoFile) {
    const int status = status_of_child([&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{4096, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            make(file());
        } catch (const usage_error& failure) {
            return contains(failure.what(), file()) ? 7 : 8;
        }
        return 9;
    });
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_FALSE(fs::exists(file()));
}

TEST_F(recorder_test, DiskThatFillsUpKeepsTheRoundsBefore) {
    // A limit of the file size stands for a full disk: it needs no privileges and hits at a known place.
    const int status = status_of_child([&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{12 << 20, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        auto writer = make(file());
        sample_round many(1);
        const auto event = many.events.front();
        many.events.resize(20000, event);
        for (std::size_t i = 0; i < many.events.size(); ++i) { // Numbers that do not compress.
            many.events[i].flops = std::sin(static_cast<double>(i));
            many.events[i].energy_j = std::cos(static_cast<double>(i));
        }
        int written = 0;
        try {
            while (written < 1000) {
                writer.write_round(many.data());
                ++written;
            }
        } catch (const runtime_failure& failure) {
            return contains(failure.what(), file()) ? written : 98;
        }
        return 97;
    });
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    const auto written = WEXITSTATUS(status);
    EXPECT_GT(written, 0);
    EXPECT_LT(written, 97);
    EXPECT_EQ(root_text(file(), "status"), "aborted");
    EXPECT_EQ(reals(file(), "/rounds", "latency_s").size(), static_cast<std::size_t>(written));
    EXPECT_EQ(reals(file(), "/events", "flops").size(), static_cast<std::size_t>(written) * 20000);
}

/// Descriptors of this process that stand for `path`.
std::vector<int> descriptors_of(const std::string& path) {
    std::vector<int> found;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (fs::read_symlink(entry.path(), gone) == path) {
            found.push_back(std::stoi(entry.path().filename().string()));
        }
    }
    return found;
}

TEST_F(recorder_test, FailingDeviceIsARuntimeFailureAndNoCrash) {
    for (const bool while_finishing : {false, true}) {
        const auto path = file(while_finishing ? "finish.h5" : "round.h5");
        const int status = status_of_child([&] {
            auto writer = make(path);
            writer.write_round(sample_round(1).data());
            // Every write of HDF5 fails from here on.
            const int read_only = ::open(path.c_str(), O_RDONLY);
            for (const int descriptor : descriptors_of(path)) {
                if (descriptor != read_only) {
                    ::dup2(read_only, descriptor);
                }
            }
            try {
                if (while_finishing) {
                    writer.finish(run_status::complete, "rounds", true);
                } else {
                    writer.write_round(sample_round(2).data());
                }
            } catch (const runtime_failure& failure) {
                return contains(failure.what(), path) && contains(failure.what(), "Bad file descriptor") ? 7 : 8;
            }
            return 9;
        });
        ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        EXPECT_EQ(WEXITSTATUS(status), 7);
        // The file was not closed properly, but what was flushed before can be read.
        if (std::system("command -v h5clear >/dev/null 2>&1") == 0) {
            ASSERT_EQ(std::system(("h5clear -s " + path).c_str()), 0);
            EXPECT_EQ(reals(path, "/rounds", "latency_s"), (std::vector{11.0}));
        }
    }
}

/// Writes rounds in a child until `rounds` are flushed, and kills it in the middle of its work.
void write_and_kill(const std::string& path, int rounds) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            auto writer = make(path);
            for (std::uint32_t number = 1;; ++number) {
                writer.write_round(sample_round(number).data());
                if (::write(ends[1], "x", 1) != 1) {
                    break;
                }
            }
        } catch (const std::exception& failure) {
            std::fprintf(stderr, "child: %s\n", failure.what());
        }
        ::_exit(1);
    }
    ::close(ends[1]);
    for (int seen = 0; seen < rounds; ++seen) {
        char token = 0;
        ASSERT_EQ(::read(ends[0], &token, 1), 1);
    }
    ::kill(child, SIGKILL);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_F(recorder_test, FlushedRoundsSurviveAKill) {
    if (std::system("command -v h5clear >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "h5clear (Debian package hdf5-tools) is not installed";
    }
    write_and_kill(file(), 20);
    EXPECT_THROW(root_text(file(), "status"), H5::Exception) << "a killed writer leaves its mark";
    ASSERT_EQ(std::system(("h5clear -s " + file()).c_str()), 0);
    EXPECT_EQ(root_text(file(), "status"), "running");
    const auto latencies = reals(file(), "/rounds", "latency_s");
    ASSERT_GE(latencies.size(), 20U);
    for (std::size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(latencies[i], 11.0 + static_cast<double>(i));
    }
    EXPECT_EQ(texts(file(), "/events", "kind").at(59), "send_modules_up");
}

TEST_F(recorder_test, WhatHadTheNameStaysUntilTheNewFileIsWhole) {
    make(file()).finish(run_status::complete, "first", true);
    {
        auto dropped = make(file(), {.overwrite = true, .hidden = true});
        dropped.write_round(sample_round(1).data());
        EXPECT_EQ(root_text(file(), "stop_reason"), "first");
    }
    EXPECT_EQ(root_text(file(), "stop_reason"), "first") << "it never came to publish()";
    auto writer = make(file(), {.overwrite = true, .hidden = true});
    writer.write_round(sample_round(1).data());
    writer.publish();
    writer.write_round(sample_round(2).data());
    writer.finish(run_status::complete, "second", true);
    EXPECT_EQ(root_text(file(), "stop_reason"), "second");
    EXPECT_EQ(reals(file(), "/rounds", "latency_s"), (std::vector{11.0, 12.0}));
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "nothing hidden is left";
}

TEST_F(recorder_test, AKillBeforePublishLeavesNothingInTheWay) {
    const int status = status_of_child([&] {
        auto writer = make(file(), {.hidden = true});
        writer.write_round(sample_round(1).data());
        ::kill(::getpid(), SIGKILL);
        return 0;
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_FALSE(fs::exists(file()));
    make(file()).finish(run_status::complete, "again", true);
    EXPECT_EQ(root_text(file(), "stop_reason"), "again");
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

TEST_F(recorder_test, ATornFileIsKeptAside) {
    { std::ofstream(file()) << "torn"; }
    make(file(), {.overwrite = true}).finish(run_status::complete, "rounds", true);
    std::ifstream aside(file("run.torn.h5"));
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(aside), {}), "torn");
    EXPECT_EQ(root_text(file(), "status"), "complete");
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
