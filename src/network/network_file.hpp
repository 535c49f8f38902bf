#pragma once

#include "network/topology.hpp"

#include <string>

namespace gaisnet {

/// The network of a topology as network.file takes it (JSON), every value written so that it is read back exactly. Rates
/// of radio links and traces are left out, since they change over time.
std::string network_file_text(const topology&);

} // namespace gaisnet
