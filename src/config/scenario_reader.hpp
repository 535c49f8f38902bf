#pragma once

#include "config/options.hpp"
#include "network/scenario.hpp"

namespace gaisnet {

/// Types and checks all settings. \throws usage_error with source, key, value and what is accepted.
scenario read_scenario(const settings&);

} // namespace gaisnet
