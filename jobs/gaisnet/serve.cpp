#include "commands.hpp"

#include "experiment/serving.hpp"
#include "results/service_report.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace gaisnet {

namespace {

void print(const service_outcome& outcome, const std::string& file) {
    fmt::print("{}", report(outcome.rounds, outcome.cash, outcome.oracle, outcome.clients));
    if (!file.empty()) {
        fmt::print("  {:<22}{}\n", "results file", file);
    }
    std::fflush(stdout);
}

exit_code serve(const command_line& given, session& here) {
    const auto output = given.values.at("output").value;
    if (given.values.at("serve.mode").value == "table") {
        const auto outcome = play_table(given, here);
        if (here.root()) {
            print(outcome, given.dry_run ? "" : output);
        }
        return exit_code::ok;
    }
    if (!given.dry_run) {
        here.accept_requeue();
    }
    serving job(given, here);
    if (given.dry_run) {
        const auto forecast = job.forecast();
        if (here.root()) {
            fmt::print("{}{}", job.description(), report_forecast(forecast));
        }
        return exit_code::ok;
    }
    const auto ending = job.run();
    if (here.root() && ending == run_ending::complete) {
        print(job.outcome(), output);
    }
    return exit_code_of(ending);
}

const registration<command_action> registered_serve{{"serve", serve}};

} // namespace

} // namespace gaisnet
