#pragma once

// What a command writes beside its results file, and that it replaces nothing by that.

#include "scenario/scenario.hpp"
#include "settings/configuration.hpp"

#include <filesystem>

namespace gaisnet {

/// The file to which --dry-run writes the network: beside the results file.
std::filesystem::path network_path(const scenario&);

/// The file of an edge's tuned modules: beside the results file.
std::filesystem::path modules_path(const scenario&, int edge);
/// The file of predictions of `infer`: beside the results file.
std::filesystem::path predictions_path(const scenario&);
/// \throws usage_error when a file that the command writes is one that it reads (config files and images included), or
/// when the predictions of `infer` would replace a file without overwrite.
void check_outputs(const configuration&, const scenario&);
/// \throws usage_error when the tuned modules would replace the weights that they are trained on, or any other file,
/// unless the run may overwrite or resumes.
void check_modules_path(const scenario&);

} // namespace gaisnet
