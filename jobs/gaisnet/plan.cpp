#include "commands.hpp"
#include "slurm.hpp"

#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/preparation.hpp"
#include "metrics/report.hpp"
#include "network/network_file.hpp"
#include "planning/forecast.hpp"
#include "roles/describe.hpp"
#include "roles/ledger_run.hpp"
#include "roles/slow_links.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

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

/// The results file of `plan`, which it writes only when the command line says where to: the output of a config file is
/// that of the run.
std::optional<recorder> results_file(const configuration& given, const prepared_run& run, session& here) {
    if (given.command != "plan" || given.dry_run || given.values.at("output").source != "command line") {
        return std::nullopt;
    }
    return recorder::create(run.scene->output, header_of(given, *run.scene, here),
                            describe_nodes(*run.deploy, run.rank_of), describe_links(*run.deploy),
                            {run.scene->overwrite, run.scene->events, {}, {}, describe_samples(run)});
}

} // namespace

exit_code plan(const command_line& given, session& here) {
    const bool check_everything = given.command == "finetune"; // its dry run
    const auto run = prepare(given, here, check_everything);
    if (check_everything || run.scene->computing == compute_model::measured) {
        const auto loaded = load_backbone(*run.scene, here);
        if (run.scene->computing == compute_model::measured && here.root()) {
            use_speeds(*run.deploy, measure_stages(*run.deploy, loaded.backbone));
        }
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
    forecaster sums(*run.deploy);
    slow_links slow(*run.deploy);
    auto file = results_file(given, run, here);
    const auto rounds = run.scene->train.rounds;
    std::string reason;
    for (int round = 1; reason.empty(); ++round) {
        session::check_interrupt();
        auto played = ledger.play(round);
        if (round == 1) {
            check_memory(*run.deploy, played.nodes);
        }
        for (const auto& warning : slow.find(played.events)) {
            spdlog::warn("{}", warning);
        }
        for (auto& row : played.rounds) { // nothing is trained
            row.accuracy = row.loss = row.train_accuracy = row.train_loss = std::numeric_limits<double>::quiet_NaN();
        }
        if (file) {
            file->write_round({played.rounds, played.nodes, played.events, {}, {}, federations_of(played)});
        }
        sums.add(played);
        if (round == rounds) {
            reason = fmt::format("train.rounds = {}", rounds);
        } else if (!ledger.anyone_left()) {
            reason = nobody_is_left;
        }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const auto found = sums.take();
    auto summary = summarise(found.rounds, found.nodes, describe_nodes(*run.deploy, run.rank_of));
    summary.planned = true;
    summary.stop_reason = reason;
    summary.clock = "virtual";
    if (file) {
        file->finish(run_status::complete, summary.stop_reason, false);
        summary.output = run.scene->output;
    }
    fmt::print("{}", report(summary));
    if (given.command == "plan") {
        energy_parts energy;
        for (const auto& row : found.rounds) {
            energy += row.energy;
        }
        fmt::print(
            "\n{}\nBottleneck\n  {}\n\n{}", resource_tables(*run.deploy, found), bottleneck(*run.deploy, found),
            sensitivity_table(summary.latency.total_s, energy, halve_each(*run.deploy, run.scene->train.rounds)));
    }
    if (given.dry_run && given.command == "finetune") {
        fmt::print("as a Slurm job:\n{}\n", sbatch_line(given, *run.scene, run.ranks));
    }
    std::fflush(stdout);
    spdlog::info("ledger: {} events in {:.3f} s ({:.0f} events/s)", ledger.events_fired(), elapsed.count(),
                 static_cast<double>(ledger.events_fired()) / elapsed.count());
    return exit_code::ok;
}

} // namespace gaisnet
