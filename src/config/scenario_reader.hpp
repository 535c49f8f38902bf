#pragma once

#include "config/options.hpp"
#include "network/scenario.hpp"

namespace gaisnet {

/// Types and checks all settings. \throws usage_error with source, key, value and what is accepted.
scenario read_scenario(const settings&, service_kind = service_kind::fine_tuning);

/// Settings with those replaced that others decide, so that what is printed and stored is what is run: the sizes of a
/// preset model; no rate and power for a device that is described by its clock. Values that are wrong stay as they are.
settings resolve(settings);

/// "KEY.hash = ..." a line for each file of settings that a scenario names (network, movements, traces, distributions):
/// for the identity of a run, in place of their paths.
std::string hashes_of_files(const settings&);

} // namespace gaisnet
