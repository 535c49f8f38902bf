#include "commands.hpp"

#include "experiment/inference.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace gaisnet {

namespace {

exit_code infer(const command_line& given, session& here) {
    if (!given.dry_run) {
        here.accept_requeue();
    }
    inference job(given, here);
    if (given.dry_run) {
        const auto forecast = job.forecast();
        if (here.root()) {
            fmt::print("{}{}", job.description(), report(forecast));
        }
        return exit_code::ok;
    }
    const auto ending = job.run();
    if (here.root() && ending == run_ending::complete) {
        fmt::print("{}  {:<22}{}\n", report(job.outcome()), "predictions", job.predictions());
        std::fflush(stdout); // what comes next may take a while
        fmt::print("{}", job.advice());
        std::fflush(stdout);
    }
    return exit_code_of(ending);
}

const registration<command_action> registered_infer{{"infer", infer}};

} // namespace

} // namespace gaisnet
