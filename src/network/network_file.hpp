#pragma once

#include "network/topology.hpp"

#include <string>

namespace gaisnet {

/// The network of a topology in the format of network.file (JSON); every value is read back exactly. The rates of radio
/// links and traces are omitted, because they change over time. Clients of the scenario that are in no cluster are listed
/// as such.
std::string network_file_text(const scenario&, const topology&);

} // namespace gaisnet
