#pragma once

#include "transport/transport.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// `ranks` transports in one process with shared mailboxes, for runs without MPI (one rank) and for protocol tests (one
/// thread per rank). Tensors are not copied. Collective calls must be made by all ranks.
std::vector<std::unique_ptr<transport>> loopback_world(int ranks);

} // namespace gaisnet
