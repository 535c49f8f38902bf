#include "experiment/forecasting.hpp"

#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/output_paths.hpp"
#include "experiment/served_models.hpp"
#include "network/network_file.hpp"
#include "planning/plan_report.hpp"
#include "rounds/describe.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/slow_links.hpp"
#include "settings/identity.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

namespace gaisnet {

namespace {

/// The settings that make a run of a plan: those that were given, with what was chosen in place of what was open.
std::string config_of_plan(const configuration& given, const scenario& scene, const chosen_plan& plan,
                           const std::filesystem::path& network) {
    auto values = given.values;
    const auto set = [&](const std::string& key, const std::string& value) { values.at(key) = {value, "the plan"}; };
    for (const auto* key : {"optimise", "measure", "pareto", "json", "plan.tunings", "plan.effort", "plan.restarts",
                            "split.blocks", "split.objective", "objective", "cluster.policy", "cluster.start",
                            "cluster.number", "cluster.size", "network.edges", "network.clusters", "network.clients"}) {
        values.at(key) = {find_key(key)->initial, "default"};
    }
    set("network.file", std::filesystem::absolute(network).string());
    set("data.held_by", name_in(data_holder_words, scene.data.held_by));
    if (scene.service == service_kind::fine_tuning) {
        set("train.schedule", name_in(schedule_words, plan.schedule));
        set("train.micro_batches", std::to_string(plan.micro_batches));
        for (const auto& [key, value] : keys_of(plan.tuning)) {
            set(key, value);
        }
    }
    const auto decides = [](const key_info& key, const setting& one) {
        return !one.is_default() && !one.is_derived && one.value != key.initial && key.name != "output" &&
               key.name != "overwrite";
    };
    return "# What gaisnet plan has chosen for " + plan.objective.text + "\n" + print_config(values, decides);
}

/// Writes a file beside the results.
void write_beside(const scenario& scene, const std::filesystem::path& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    out.close();
    if (!out) {
        throw usage_error("output " + scene.output + ": " + path.string() + " cannot be written");
    }
}

} // namespace

forecasting::forecasting(configuration given, session& here, checks which)
    : given_(service_of(given) == service_kind::inference ? with_tuning_of_modules(given) : std::move(given))
    , here_(here)
    , run_(prepare(given_, here, which == checks::everything)) {
    const auto& scene = *run_.scene;
    const bool measured = scene.computing == compute_model::measured;
    if (which == checks::everything || measured) {
        const auto loaded = load_backbone(scene, here);
        if (measured && here.root()) {
            use_speeds(*run_.deploy, measure_stages(*run_.deploy, loaded.backbone));
        }
    }
    here.network().barrier(); // no rank leaves before all have found their input usable
    if (here.root() && which == checks::everything && scene.resume.empty()) {
        recorder::check_output(scene.output, scene.overwrite);
        check_modules_path(scene);
    }
}

std::string forecasting::description() const {
    auto text = describe(run_);
    if (run_.ranks == here_.ranks() && !here_.devices().ranks.empty()) {
        text += describe_devices(here_.devices());
    }
    return text;
}

std::string forecasting::write_network() const {
    const auto path = network_path(*run_.scene);
    std::error_code code;
    if (std::filesystem::exists(path, code) && !run_.scene->overwrite) {
        return fmt::format("network: {} exists and was left alone (overwrite = on replaces it)\n", path.string());
    }
    write_beside(*run_.scene, path, network_file_text(*run_.scene, run_.deploy->net));
    return fmt::format("network: {}, for network.file\n", path.string());
}

plan_files forecasting::write_plan() const {
    plan_files files{.config = beside_output(run_.scene->output, ".plan.cfg"),
                     .network = beside_output(run_.scene->output, ".plan.json"),
                     .left_alone = {}};
    std::error_code code;
    for (const auto& path : {files.network, files.config}) {
        if (std::filesystem::exists(path, code) && !run_.scene->overwrite) {
            files.left_alone = path;
            return files;
        }
    }
    write_beside(*run_.scene, files.network, network_file_text(*run_.scene, run_.deploy->net));
    write_beside(*run_.scene, files.config, config_of_plan(given_, *run_.scene, *run_.plan, files.network));
    return files;
}

/// The output of a config file is that of the run, and stays alone.
std::optional<recorder> forecasting::results_file() const {
    if (given_.command != "plan" || given_.dry_run || given_.values.at("output").source != "command line") {
        return std::nullopt;
    }
    return recorder::create(run_.scene->output, header_of(given_, *run_.scene, here_),
                            describe_nodes(*run_.deploy, run_.rank_of), describe_links(*run_.deploy),
                            {.overwrite = run_.scene->overwrite,
                             .events = run_.scene->events,
                             .chains = describe_chains(*run_.deploy),
                             .samples = describe_samples(run_)});
}

void forecasting::write_front(recorder& file) const {
    if (!run_.front) {
        return;
    }
    std::vector<plan_row> rows;
    for (const auto& [label, figures, on_front] : run_.front->plans) {
        rows.push_back({label, figures.latency_s, figures.energy_j, figures.spectrum_hz_s, figures.memory_bytes,
                        figures.goodput(), on_front});
    }
    file.write_plans(rows);
}

forecast_outcome forecasting::run() {
    const auto start = std::chrono::steady_clock::now();
    ledger_run ledger(*run_.deploy);
    forecaster sums(*run_.deploy);
    slow_links slow(*run_.deploy);
    auto file = results_file();
    const auto rounds = run_.scene->train.rounds;
    std::string reason;
    for (int round = 1; reason.empty(); ++round) {
        session::check_interrupt();
        auto played = ledger.play(round);
        if (round == 1) {
            check_memory(*run_.deploy, played.nodes);
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
    forecast_outcome out{
        {}, sums.take(), ledger.events_fired(), static_cast<double>(ledger.events_fired()) / elapsed.count()};
    out.summary = summarise(out.found.rounds, out.found.nodes, describe_nodes(*run_.deploy, run_.rank_of));
    out.summary.planned = true;
    out.summary.stop_reason = reason;
    out.summary.clock = "virtual";
    if (file && !tried_.empty()) {
        file->write_tunings(tried_);
    }
    if (file) {
        write_front(*file);
        file->finish(run_status::complete, reason, false);
        out.summary.output = run_.scene->output;
    }
    spdlog::info("ledger: {} events in {:.3f} s ({:.0f} events/s)", ledger.events_fired(), elapsed.count(),
                 out.events_per_second);
    return out;
}

std::string forecasting::analysis(const forecast_outcome& outcome) const {
    const auto& rows = outcome.found.rounds;
    const auto all = static_cast<int>(rows.empty() ? 0 : rows.back().round);
    const int first = rounds_to_vary(outcome.events, all, run_.scene->cloud.period);
    const auto beyond =
        std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return static_cast<int>(row.round) > first; });
    const auto [latency_s, energy] = totals_of({rows.begin(), beyond});
    const auto head = first == all ? std::string()
                                   : fmt::format("Of the first {} of {} rounds, which take {}:\n", first, all,
                                                 quantity(latency_s, "s"));
    return fmt::format("\n{}\nBottleneck\n  {}\n\n{}{}", resource_tables(*run_.deploy, outcome.found),
                       bottleneck(*run_.deploy, outcome.found), head,
                       sensitivity_table(latency_s, energy, halve_each(*run_.deploy, first)));
}

} // namespace gaisnet
