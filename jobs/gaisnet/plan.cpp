#include "commands.hpp"
#include "slurm.hpp"

#include "experiment/forecasting.hpp"
#include "experiment/tuning_trial.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

namespace gaisnet {

exit_code plan(const command_line& given, session& here) {
    const bool is_dry_run_of_finetune = given.command == "finetune";
    std::optional<measured_tunings> measured;
    configuration chosen_settings = given;
    if (wants_trial(given)) {
        measured = try_tunings(given, here);
        chosen_settings = with_chosen(given, *measured);
        if (here.root() && given.values.at("json").value != "on") {
            fmt::print("{}\n", measured_text(*measured));
            std::fflush(stdout); // it has taken a while, whatever comes now
        }
    } else if (given.values.at("measure").value != "0") { // nothing is trained here, so methods are compared by cost
        chosen_settings.set("measure", "0");
    }
    forecasting job(chosen_settings, here,
                    is_dry_run_of_finetune ? forecasting::checks::everything : forecasting::checks::ledger);
    if (!here.root()) {
        return exit_code::ok;
    }
    if (measured) {
        job.note_tunings(tuning_rows(*measured));
    }
    if (given.dry_run) {
        fmt::print("{}", job.description());
        fmt::print("{}", job.write_network());
    }
    const auto& chosen = job.prepared().plan;
    const bool json = chosen && job.prepared().scene->plan.json; // and nothing else is printed
    if (json) {
        fmt::print("{}", plan_json(*chosen, *job.prepared().deploy, job.write_plan(), measured ? &*measured : nullptr));
    } else if (chosen && given.command == "plan") {
        if (job.prepared().front) {
            fmt::print("{}\n", front_text(*job.prepared().front));
        }
        fmt::print("{}{}\n", plan_text(*chosen, *job.prepared().deploy), job.write_plan().text());
    }
    if (job.prepared().scene->service == service_kind::inference) {
        const auto outcome = job.run_requests();
        if (!json) {
            fmt::print("{}{}", report(outcome.summary), job.analysis(outcome));
        }
    } else {
        const auto outcome = job.run();
        if (!json) {
            fmt::print("{}", report(outcome.summary));
            fmt::print("{}", is_dry_run_of_finetune
                                 ? fmt::format("as a Slurm job:\n{}\n",
                                               sbatch_line(given, *job.prepared().scene, job.prepared().ranks))
                                 : job.analysis(outcome));
        }
    }
    std::fflush(stdout);
    return exit_code::ok;
}

namespace {

const registration<command_action> registered_plan{{"plan", plan}};

} // namespace

} // namespace gaisnet
