#pragma once

#include "transport/transport.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// `ranks` transports of one process that share mailboxes, for runs without MPI (one rank) and for protocol tests (one
/// thread a rank). Tensors are handed over without a copy. All ranks must have called what all have to call.
std::vector<std::unique_ptr<transport>> loopback_world(int ranks);

} // namespace gaisnet
