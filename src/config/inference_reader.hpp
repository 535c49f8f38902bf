#pragma once

#include "config/value_reader.hpp"
#include "network/scenario.hpp"

namespace gaisnet {

/// What `infer` needs beside what every run does. \throws usage_error as read_scenario does.
void read_inference(const value_reader&, scenario&);

} // namespace gaisnet
