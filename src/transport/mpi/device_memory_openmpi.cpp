// Of an MPI that can be asked whether it is CUDA-aware, as Open MPI can; CMake chooses between this file and
// device_memory_unknown.cpp.

#include "transport/mpi/mpi_session.hpp"

#include <mpi-ext.h>

namespace gaisnet {

bool mpi_session::takes_device_memory() { return MPIX_Query_cuda_support() == 1; }

} // namespace gaisnet
