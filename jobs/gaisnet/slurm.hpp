#pragma once

#include "scenario/scenario.hpp"
#include "settings/options.hpp"

#include <string>

namespace gaisnet {

/// The command that submits this run to Slurm, as a line for a shell.
std::string sbatch_line(const command_line&, const scenario&, int ranks);

} // namespace gaisnet
