#pragma once

#include "config/value_reader.hpp"
#include "network/scenario.hpp"

namespace gaisnet {

/// What `serve` needs beside what every run does. \throws usage_error as read_scenario does.
void read_services(const value_reader&, scenario&);

} // namespace gaisnet
