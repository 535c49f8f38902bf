#pragma once

#include "transport/mpi/mpi_session.hpp"

namespace gaisnet::lab {

/// MPI of a test program that runs under mpirun: every rank runs every test, and all fail when one does.
const mpi_session& mpi();
/// Says on rank 0 why the tests cannot run here, and ends the program with CTest's code for that on every rank. Every
/// rank has to call it.
[[noreturn]] void skip_all(const char* reason);

} // namespace gaisnet::lab
