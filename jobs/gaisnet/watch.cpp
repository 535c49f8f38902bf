#include "commands.hpp"

#include "base/text.hpp"
#include "results/results_reader.hpp"
#include "settings/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

namespace gaisnet {

namespace {

/// Prints what a results file gets, line by line.
class watcher {
public:
    explicit watcher(std::string path): path_(std::move(path)) {}

    /// Prints what is new. \returns whether more may come.
    bool look() {
        // Asked before: a run that ends meanwhile has its last rows in what is read now.
        const bool written = has_writer(path_);
        const auto now = read_results(path_, shown_);
        if (shown_ == 0 && rounds_ == 0) {
            begin(now);
        }
        for (const auto& row : now.rounds) {
            print(row);
        }
        shown_ += now.rounds.size();
        count("requests are answered", now.requests, requests_);
        count("rounds of service", now.services, services_);
        std::fflush(stdout);
        if (now.status != "running") {
            fmt::print("{}{}\n", now.status, now.stop_reason.empty() ? "" : ": " + now.stop_reason);
            return false;
        }
        if (!written) {
            fmt::print("its writer is gone: killed, or the disk failed; --resume auto goes on\n");
            return false;
        }
        return true;
    }

private:
    void begin(const results_snapshot& now) {
        const auto number = [&](const char* key) {
            return std::max(1, std::atoi(value_in(now.identity, key).c_str()));
        };
        rounds_ = number("train.rounds");
        edges_ = number("network.edges");
        fmt::print("{}: gaisnet {}\n", path_, now.command);
    }

    void print(const watched_round& row) {
        wall_s_[row.round] = std::max(wall_s_[row.round], row.wall_s);
        energy_j_ += row.energy_j;
        auto line = fmt::format("round {}/{}", row.round, rounds_);
        line += edges_ > 1 ? fmt::format("  edge{}", row.edge) : "";
        if (!std::isnan(row.accuracy)) {
            line += fmt::format("  accuracy {:.2f} %  loss {:.4f}", 100.0 * row.accuracy, row.loss);
        }
        line += fmt::format("  emulated {}  energy{} {}", quantity(row.end_s, "s"), edges_ > 1 ? " of all edges" : "",
                            quantity(energy_j_, "J"));
        double past = 0.0;
        for (const auto& [round, seconds] : wall_s_) {
            past += seconds;
        }
        const auto left = rounds_ - static_cast<int>(row.round);
        if (past > 0.0 && left > 0) {
            line += fmt::format("  {} left", quantity(past / static_cast<double>(wall_s_.size()) * left, "s"));
        }
        fmt::print("{}\n", line);
    }

    static void count(const char* what, std::size_t now, std::size_t& before) {
        if (now != before) {
            fmt::print("{} {}\n", now, what);
            before = now;
        }
    }

    std::string path_;
    int rounds_ = 0, edges_ = 1;
    std::size_t shown_ = 0, requests_ = 0, services_ = 0;
    std::map<std::uint64_t, double> wall_s_; ///< Real time of the slowest edge, by round.
    double energy_j_ = 0;                    ///< Of edges and their clients, without the cloud.
};

exit_code watch(const command_line& given, session& here) {
    constexpr std::chrono::milliseconds pause(500);
    if (!here.root()) {
        return exit_code::ok;
    }
    for (watcher file(given.operand); file.look();) {
        std::this_thread::sleep_for(pause);
        session::check_interrupt();
    }
    return exit_code::ok;
}

constexpr command_set no_key = 128; // it looks at a file alone
const registration<commands::info> named_watch{
    {"watch", no_key, "rounds of a run in another terminal, from its results file, until it ends", nullptr, nullptr,
     "FILE"}};
const registration<command_action> registered_watch{{"watch", watch}};

} // namespace

} // namespace gaisnet
