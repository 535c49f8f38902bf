#include "commands.hpp"

#include "experiment/pretraining.hpp"

#include <fmt/format.h>

namespace gaisnet {

namespace {

exit_code pretrain(const command_line& given, session& here) {
    pretraining job(given, here);
    auto ending = run_ending::complete;
    if (!given.dry_run) {
        here.accept_requeue();
        ending = job.run();
    }
    if (here.root() && ending == run_ending::complete) {
        fmt::print("{}", given.dry_run ? job.description() : job.outcome());
    }
    return exit_code_of(ending);
}

const registration<command_action> registered_pretrain{{"pretrain", pretrain}};

} // namespace

} // namespace gaisnet
