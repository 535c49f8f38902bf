// For an MPI that cannot report whether it is CUDA-aware: tensors go through host memory.

#include "transport/mpi/mpi_session.hpp"

namespace gaisnet {

bool mpi_session::takes_device_memory() { return false; }

} // namespace gaisnet
