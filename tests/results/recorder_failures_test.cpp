// Results files of runs that are killed, whose disk fails, or that another run is in the way of.

#include "base/error.hpp"
#include "results/hdf5_file.hpp"
#include "results/recorder.hpp"
#include "results/recording.hpp"
#include "support/text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using recording::make;
using recording::reals;
using recording::recorder_test;
using recording::root_text;
using recording::sample_round;
using recording::status_of_child;
using recording::texts;
using recording::usage_message;

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

} // namespace
} // namespace gaisnet
