// For an MPI that can report whether it is CUDA-aware, such as Open MPI. CMake selects this file or
// device_memory_unknown.cpp.

#include "transport/mpi/mpi_session.hpp"

#include <mpi-ext.h>

namespace gaisnet {

bool mpi_session::takes_device_memory() { return MPIX_Query_cuda_support() == 1; }

} // namespace gaisnet
