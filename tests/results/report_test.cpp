#include "results/report.hpp"

#include "base/error.hpp"
#include "base/progress.hpp"
#include "support/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace gaisnet {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// The line of `text` that holds `part`; empty when there is none.
std::string line_with(const std::string& text, const std::string& part) {
    const auto at = text.find(part);
    if (at == std::string::npos) {
        return {};
    }
    const auto begin = at == 0 ? 0 : text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
}

std::vector<node_description> nodes() {
    std::vector<node_description> result(4);
    result[0].name = "edge0";
    result[0].role = node_role::edge;
    result[1].name = "c0.0";
    result[2].name = "c0.1";
    result[3].name = "c1.0";
    for (std::size_t i = 1; i < result.size(); ++i) {
        result[i].role = node_role::client;
    }
    return result;
}

/// Latency parts are powers of two, so that any wrong choice among them changes the sum.
round_row round_of(std::uint32_t edge, std::uint32_t round, double scale) {
    round_row row;
    row.edge = edge;
    row.round = round;
    row.accuracy = 0.5 + 0.1 * round + 0.2 * edge;
    row.loss = 2.0 / round;
    row.parts["delivery"] = 1 * scale;
    row.parts["sensing"] = 2 * scale;
    row.parts["compute"] = 4 * scale;
    row.parts["d2d"] = 8 * scale;
    row.parts["cs_smashed"] = 16 * scale;
    row.parts["upload"] = 32 * scale;
    row.parts["edge"] = 64 * scale;
    row.latency_s = 127 * scale;
    row.samples = 10;
    row.client_flops = 1e12 * scale;
    row.edge_flops = 1e11 * scale;
    row.energy.compute_j = 100 * scale;
    row.bytes = {0, 1, 10, 100, 1000};
    row.airtime_hz_s = {0, 0.5, 5, 50, 500};
    row.wall_s = 3 * scale;
    return row;
}

node_row work_of(std::uint32_t node, std::uint32_t round, std::uint64_t memory) {
    node_row row;
    row.node = node;
    row.round = round;
    row.sense_j = 1;
    row.compute_j = 10;
    row.transmit_j = 100;
    row.receive_j = 1000;
    row.idle_j = 10000;
    row.temporary_bytes = memory;
    row.total_bytes = 3 * memory;
    return row;
}

TEST(summary, SumsRoundsOfOneEdge) {
    const std::vector rounds{round_of(0, 1, 1), round_of(0, 2, 0.5)};
    const auto summary = summarise(rounds, {}, nodes());
    EXPECT_EQ(summary.rounds, 2U);
    EXPECT_EQ(summary.latency.total_s, 190.5);
    EXPECT_EQ(summary.latency.parts["delivery"], 1.5);
    EXPECT_EQ(summary.latency.parts["sensing"], 3.0);
    EXPECT_EQ(summary.latency.parts["compute"], 6.0);
    EXPECT_EQ(summary.latency.parts["d2d"], 12.0);
    EXPECT_EQ(summary.latency.parts["cs_smashed"], 24.0);
    EXPECT_EQ(summary.latency.parts["upload"], 48.0);
    EXPECT_EQ(summary.latency.parts["edge"], 96.0);
    EXPECT_EQ(summary.client_flops, 1.5e12);
    EXPECT_EQ(summary.edge_flops, 1.5e11);
    EXPECT_EQ(summary.samples, 20U);
    EXPECT_EQ(summary.bytes, (std::array<std::uint64_t, link_classes>{0, 2, 20, 200, 2000}));
    EXPECT_EQ(summary.airtime_hz_s, (std::array<double, link_classes>{0, 1, 10, 100, 1000}));
    EXPECT_DOUBLE_EQ(summary.accuracy, 0.7) << "that of the last round";
    EXPECT_EQ(summary.loss, 1.0);
    EXPECT_EQ(summary.wall_s, 4.5);
}

TEST(summary, CountsOnlyUpToConvergence) {
    const std::vector rounds{round_of(0, 3, 4), round_of(0, 1, 1), round_of(0, 2, 2)};
    const std::vector work{work_of(1, 1, 10), work_of(1, 2, 20), work_of(1, 3, 999)};
    const auto summary = summarise(rounds, work, nodes(), 2);
    EXPECT_EQ(summary.rounds, 2U);
    EXPECT_EQ(summary.lines.size(), 3U) << "the table shows the later round, too";
    EXPECT_EQ(summary.lines.front().round, 1U) << "sorted, in whatever order the rows came";
    EXPECT_EQ(summary.latency.total_s, 3 * 127.0);
    EXPECT_DOUBLE_EQ(summary.accuracy, 0.7);
    EXPECT_EQ(summary.samples, 20U);
    const auto client = static_cast<std::size_t>(node_role::client);
    EXPECT_EQ(summary.memory[client].temporary_bytes, 20U);
    EXPECT_EQ(summary.energy[client].total_j(), 2 * 11111.0);
}

TEST(summary, EdgesWorkAtTheSameTime) {
    // Edge 1 is slower in round 1, edge 0 in round 2 and in all: 1 + 10 against 3 + 2.
    const std::vector rounds{round_of(0, 1, 1), round_of(1, 1, 3), round_of(0, 2, 10), round_of(1, 2, 2)};
    const auto summary = summarise(rounds, {}, nodes());
    EXPECT_EQ(summary.latency.total_s, 11 * 127.0);
    EXPECT_EQ(summary.latency.parts["upload"], 11 * 32.0);
    EXPECT_EQ(summary.client_flops, 16e12);
    EXPECT_EQ(summary.rounds, 2U);
    EXPECT_DOUBLE_EQ(summary.accuracy, 0.8) << "mean of 0.7 and 0.9";
    EXPECT_EQ(summary.wall_s, 3 * 3.0 + 3 * 10.0);
    ASSERT_EQ(summary.lines.size(), 2U);
    EXPECT_EQ(summary.lines[0].latency_s, 3 * 127.0);
    EXPECT_EQ(summary.lines[0].energy.total_j(), 400.0);
}

TEST(summary, EnergyAndMemoryByRole) {
    const std::vector work{work_of(0, 1, 500), work_of(1, 1, 30), work_of(2, 1, 70), work_of(3, 1, 50),
                           work_of(2, 2, 60)};
    const auto summary = summarise({}, work, nodes());
    const auto& edge = summary.memory[static_cast<std::size_t>(node_role::edge)];
    const auto& client = summary.memory[static_cast<std::size_t>(node_role::client)];
    EXPECT_EQ(edge.nodes, 1);
    EXPECT_EQ(edge.total_bytes, 1500U);
    EXPECT_EQ(client.nodes, 3);
    EXPECT_EQ(client.temporary_bytes, 70U) << "the largest peak, not a sum";
    EXPECT_EQ(client.temporary_node, "c0.1");
    const auto& energy = summary.energy[static_cast<std::size_t>(node_role::client)];
    EXPECT_EQ(energy.sense_j, 4.0);
    EXPECT_EQ(energy.compute_j, 40.0);
    EXPECT_EQ(energy.transmit_j, 400.0);
    EXPECT_EQ(energy.receive_j, 4000.0);
    EXPECT_EQ(energy.idle_j, 40000.0);
    EXPECT_EQ(summary.memory[static_cast<std::size_t>(node_role::cloud)].nodes, 0);
}

TEST(quantity, HasFourDigitsAndAPrefix) {
    EXPECT_EQ(quantity(1.0, "s"), "1.000 s");
    EXPECT_EQ(quantity(0.0021, "s"), "2.100 ms");
    EXPECT_EQ(quantity(3.5e-6, "s"), "3.500 us");
    EXPECT_EQ(quantity(80e-9, "s"), "80.00 ns");
    EXPECT_EQ(quantity(12345.6, "s"), "12346 s");
    EXPECT_EQ(quantity(999.96, "s"), "1000 s");
    EXPECT_EQ(quantity(99.996, "s"), "100.0 s");
    EXPECT_EQ(quantity(9.99951, "s"), "10.00 s");
    EXPECT_EQ(quantity(0.99996, "J"), "1.000 J");
    EXPECT_EQ(quantity(999.96, "J"), "1.000 kJ");
    EXPECT_EQ(quantity(384000, "B"), "384.0 kB");
    EXPECT_EQ(quantity(605184, "B"), "605.2 kB");
    EXPECT_EQ(quantity(512, "B"), "512 B");
    EXPECT_EQ(quantity(3.062e9, "FLOP"), "3.062 GFLOP");
    EXPECT_EQ(quantity(1.234e16, "FLOP"), "12.34 PFLOP");
    EXPECT_EQ(quantity(2.5e7, "Hz*s"), "25.00 MHz*s");
    EXPECT_EQ(quantity(0.0, "J"), "0 J");
    EXPECT_EQ(quantity(-1500.0, "J"), "-1.500 kJ");
    EXPECT_EQ(quantity(unknown, "s"), "-");
    EXPECT_EQ(quantity(1e-15, "J"), "0.000 nJ") << "below the smallest prefix";
}

TEST(rounds_table, LeavesOutTheMiddleOfManyRounds) {
    std::vector<round_line> lines;
    for (std::uint32_t round = 1; round <= 100; ++round) {
        lines.push_back({round, 0.5, 1.0, 2.0, 3.0});
    }
    const auto text = rounds_table(lines, 12);
    EXPECT_TRUE(contains(text, "... 88 rounds not shown")) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 12 + 1);
    EXPECT_TRUE(contains(text, "\n      4 ")) << "the first four";
    EXPECT_FALSE(contains(text, "\n      5 "));
    EXPECT_FALSE(contains(text, "\n     92 "));
    EXPECT_TRUE(contains(text, "\n     93 ")) << "the last eight";
    EXPECT_TRUE(contains(text, "\n    100 "));
    EXPECT_FALSE(contains(rounds_table(std::span(lines).first(12), 12), "not shown"));
}

TEST(report, ShowsTheFiguresOfARun) {
    const std::vector rounds{round_of(0, 1, 1)};
    const std::vector work{work_of(0, 1, 1000), work_of(1, 1, 2000000), work_of(2, 1, 5000000)};
    auto summary = summarise(rounds, work, nodes());
    summary.stop_reason = "target accuracy reached";
    summary.converged = true;
    summary.clock = "real";
    summary.time_scale = 0.5;
    summary.output = "out/run.h5";
    const auto text = report(summary);
    EXPECT_TRUE(contains(line_with(text, "%  validation"), "accuracy                     60.00 %")) << text;
    EXPECT_TRUE(contains(text, "Convergence latency"));
    EXPECT_TRUE(contains(line_with(text, "1 round, until converged"), "127.0 s"));
    EXPECT_TRUE(contains(line_with(text, "smashed data, CS"), "16.00 s"));
    EXPECT_TRUE(contains(line_with(text, "smashed data, CS"), "12.6 %")) << "16 of 127";
    EXPECT_TRUE(contains(line_with(text, "CS downlink"), "10 B"));
    EXPECT_TRUE(contains(line_with(text, "CS downlink"), "5.000 Hz*s"));
    EXPECT_TRUE(contains(line_with(text, "client, temporary"), "5.000 MB"));
    EXPECT_TRUE(contains(line_with(text, "client, total"), "15.00 MB  at c0.1"));
    EXPECT_TRUE(contains(line_with(text, "  clients  "), "1.000 TFLOP"));
    EXPECT_TRUE(contains(line_with(text, "sensing 2.000 J"), "22.22 kJ")) << "two clients of 11111 J";
    EXPECT_TRUE(contains(line_with(text, "clock"), "real, time scale 0.5"));
    EXPECT_TRUE(contains(line_with(text, "wall time"), "3.000 s"));
    EXPECT_TRUE(contains(text, "out/run.h5"));
    EXPECT_FALSE(contains(text, "not converged"));
    EXPECT_FALSE(contains(text, "clouds")) << "there is no cloud in this run";
}

TEST(report, SaysWhenTheTrainingDidNotConverge) {
    auto summary = summarise(std::vector{round_of(0, 1, 1)}, {}, nodes());
    summary.stop_reason = "train.rounds";
    const auto text = report(summary);
    EXPECT_TRUE(contains(line_with(text, "ended by"), "train.rounds (not converged)")) << text;
    EXPECT_FALSE(contains(text, "Convergence latency")) << "there is none";
}

TEST(report, PlanHasNoAccuracy) {
    auto row = round_of(0, 1, 1);
    row.accuracy = row.loss = unknown;
    auto summary = summarise(std::vector{row}, {}, nodes());
    summary.planned = true;
    const auto text = report(summary);
    EXPECT_FALSE(contains(text, "accuracy")) << text;
    EXPECT_FALSE(contains(text, "nan")) << text;
    EXPECT_FALSE(contains(text, "wall time")) << text;
    EXPECT_TRUE(contains(line_with(text, "predicted"), "127.0 s")) << text;
}

struct close_file {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using file_owner = std::unique_ptr<std::FILE, close_file>;

std::string content(std::FILE* file) {
    std::rewind(file);
    std::string text(65536, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text;
}

TEST(progress, PlainLinesKeepTheInterval) {
    const file_owner file(std::tmpfile());
    {
        progress shown(progress_mode::automatic, file.get(), std::chrono::hours(1));
        for (std::uint64_t done = 0; done <= 100; ++done) {
            shown.update(done, 100, "round " + std::to_string(done));
        }
    }
    const auto text = content(file.get());
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << "the first and, at the end, the last: " << text;
    EXPECT_TRUE(contains(text, "0/100   0 %, round 0\n")) << text;
    EXPECT_TRUE(contains(text, "100/100 100 %")) << text;
    EXPECT_FALSE(contains(text, "\r") || contains(text, "\033")) << "no control characters in a file";
}

TEST(progress, TimeLeftCountsFromTheFirstStepOfThisProcess) {
    const file_owner file(std::tmpfile());
    {
        progress shown(progress_mode::plain, file.get(), std::chrono::seconds(0));
        shown.update(900, 1000, "resumed");
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        shown.update(901, 1000, "next"); // 99 steps of at least 60 ms; 6 ms in all if the first 900 were counted.
    }
    const auto line = line_with(content(file.get()), "next");
    const auto at = line.find("%, ");
    ASSERT_NE(at, std::string::npos) << line;
    EXPECT_TRUE(contains(line, "left")) << line;
    EXPECT_GE(std::stod(line.substr(at + 3)), 1.0) << line;
}

TEST(progress, NonePrintsNothing) {
    const file_owner file(std::tmpfile());
    {
        progress shown(progress_mode::none, file.get(), std::chrono::seconds(0));
        shown.update(1, 2, "x");
    }
    EXPECT_EQ(content(file.get()), "");
}

TEST(progress, ThreadsDoNotTearLines) {
    const file_owner file(std::tmpfile());
    {
        progress shown(progress_mode::plain, file.get(), std::chrono::seconds(0));
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int step = 0; step < 100; ++step) {
                    shown.update(7, 10, "same");
                }
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
    }
    const auto text = content(file.get());
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 400);
    for (std::size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
        ASSERT_EQ(text.substr(begin, 17), "7/10  70 %, same\n");
    }
}

TEST(progress, TerminalGetsOneLine) {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) {
        GTEST_SKIP() << "no pseudo-terminal can be opened here";
    }
    {
        // Without O_NOCTTY it could become the controlling terminal, whose end would send SIGHUP.
        const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
        ASSERT_GE(slave, 0);
        const file_owner terminal(::fdopen(slave, "w"));
        ASSERT_NE(terminal, nullptr);
        progress shown(progress_mode::automatic, terminal.get());
        shown.update(1, 4, "first");
        shown.clear();
        shown.update(2, 4, std::string(500, 'x'));
        shown.update(4, 4, "last");
        shown.finish();
    }
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t count = 0; (count = ::read(master, part.data(), part.size())) > 0;) { // ends with EIO: all was read
        text.append(part.data(), static_cast<std::size_t>(count));
    }
    EXPECT_TRUE(contains(text, "\r\033[K1/4  25 %, first\r\033[K")) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "one line, ended once";
    EXPECT_FALSE(contains(text, std::string(100, 'x'))) << "cut to the width of the terminal";
    EXPECT_TRUE(contains(text, "4/4 100 %")) << text;
    ::close(master);
}

TEST(progress, ModeNames) {
    EXPECT_EQ(parse_progress_mode("auto"), progress_mode::automatic);
    EXPECT_EQ(parse_progress_mode("plain"), progress_mode::plain);
    EXPECT_EQ(parse_progress_mode("none"), progress_mode::none);
    try {
        parse_progress_mode("fancy");
        FAIL() << "no usage_error was thrown";
    } catch (const usage_error& failure) {
        EXPECT_TRUE(contains(failure.what(), "'fancy'") && contains(failure.what(), "plain")) << failure.what();
    }
}

} // namespace
} // namespace gaisnet
