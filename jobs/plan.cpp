#include "commands.hpp"

#include "backbone.hpp"
#include "config/network_file.hpp"
#include "metrics/report.hpp"
#include "roles/ledger_run.hpp"
#include "setup.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

namespace gaisnet {

namespace {

/// Leaves the network beside the results file, for network.file; never in place of what somebody may have edited.
void write_network(const prepared_run& run) {
    const auto path = network_path(*run.scene);
    std::error_code code;
    if (std::filesystem::exists(path, code) && !run.scene->overwrite) {
        fmt::print("network: {} exists and was left alone (overwrite = on replaces it)\n", path.string());
        return;
    }
    std::ofstream out(path);
    out << network_file_text(run.deploy->net);
    out.close();
    if (!out) {
        throw usage_error("output " + run.scene->output + ": " + path.string() + " cannot be written");
    }
    fmt::print("network: {}, for network.file\n", path.string());
}

} // namespace

exit_code plan(const command_line& given, session& here) {
    const bool check_everything = given.command == "finetune"; // its dry run
    const auto run = prepare(given, here, check_everything);
    if (check_everything) {
        load_backbone(*run.scene, here);
    }
    here.network().barrier(); // no rank leaves before all have found their input usable
    if (!here.root()) {
        return exit_code::ok;
    }
    if (check_everything && run.scene->resume.empty()) {
        recorder::check_output(run.scene->output, run.scene->overwrite);
        check_modules_path(*run.scene);
    }
    if (given.dry_run) {
        fmt::print("{}", describe(run));
        write_network(run);
        if (run.ranks == here.ranks() && !here.devices().ranks.empty()) {
            fmt::print("{}", describe_devices(here.devices()));
        }
    }
    const auto start = std::chrono::steady_clock::now();
    ledger_run ledger(*run.deploy);
    std::vector<round_row> rows;
    std::vector<node_row> nodes;
    for (int round = 1; round <= run.scene->train.rounds; ++round) {
        session::check_interrupt();
        const auto forecast = ledger.play(round);
        if (round == 1) {
            check_memory(*run.deploy, forecast.nodes);
        }
        for (auto row : forecast.rounds) {
            row.accuracy = row.loss = std::numeric_limits<double>::quiet_NaN(); // nothing is trained
            rows.push_back(row);
        }
        nodes.insert(nodes.end(), forecast.nodes.begin(), forecast.nodes.end());
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    auto summary = summarise(rows, nodes, describe_nodes(*run.deploy, run.rank_of));
    summary.planned = true;
    summary.stop_reason = fmt::format("train.rounds = {}", run.scene->train.rounds);
    summary.clock = "virtual";
    fmt::print("{}", report(summary));
    if (given.dry_run && given.command == "finetune") {
        fmt::print("as a Slurm job:\n{}\n", sbatch_line(given, *run.scene, run.ranks));
    }
    std::fflush(stdout);
    spdlog::info("ledger: {} events in {:.3f} s ({:.0f} events/s)", ledger.events_fired(), elapsed.count(),
                 static_cast<double>(ledger.events_fired()) / elapsed.count());
    return exit_code::ok;
}

} // namespace gaisnet
