#pragma once

#include "base/registry.hpp"
#include "experiment/session.hpp"
#include "settings/options.hpp"

namespace gaisnet {

/// What a command of the program does. A file of this folder registers it, and, unless settings/commands.cpp has them,
/// its name and help (commands::info). Every rank calls it.
struct command_action {
    const char* name;
    exit_code (*run)(const command_line&, session&);
};

/// What finetune would cost, without training; also its dry run.
exit_code plan(const command_line&, session&);

} // namespace gaisnet
