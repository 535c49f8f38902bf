#include "commands.hpp"

#include "experiment/fine_tuning.hpp"
#include "results/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

namespace gaisnet {

namespace {

exit_code finetune(const command_line& given, session& here) {
    if (given.dry_run) {
        return plan(given, here);
    }
    here.accept_requeue();
    fine_tuning run(given, here);
    while (run.next()) {}
    if (here.root() && run.ending() == run_ending::complete) {
        const auto& [summary, probes, advice, modules] = run.outcome();
        fmt::print("{}{}{}tuned modules: {}\n", report(summary), advice, domain_table(probes),
                   fmt::join(modules, ", "));
        std::fflush(stdout);
    }
    return exit_code_of(run.ending());
}

const registration<command_action> registered_finetune{{"finetune", finetune}};

} // namespace

} // namespace gaisnet
