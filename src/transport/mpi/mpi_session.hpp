#pragma once

#include <mpi.h>

#include <string>
#include <utility>

namespace gaisnet {

/// Throws runtime_failure naming the call, MPI's reason, rank and host, unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Calls an MPI function and checks its return code.
#define GAISNET_MPI(function, ...) ::gaisnet::check_mpi(function(__VA_ARGS__), #function)

/// Owns a communicator.
class mpi_communicator {
public:
    mpi_communicator() = default;
    explicit mpi_communicator(MPI_Comm comm): comm_(comm) {}
    mpi_communicator(mpi_communicator&& other) noexcept: comm_(std::exchange(other.comm_, MPI_COMM_NULL)) {}
    mpi_communicator& operator=(mpi_communicator&& other) noexcept {
        std::swap(comm_, other.comm_);
        return *this;
    }
    ~mpi_communicator();
    MPI_Comm get() const { return comm_; }
    /// A separate communicator for all ranks. Every rank has to call it.
    static mpi_communicator duplicate_world();

private:
    MPI_Comm comm_ = MPI_COMM_NULL;
};

/// Initialises and finalises MPI. It does not finalise while an exception is under way, because a failed rank must not
/// wait for the others in MPI_Finalize; main prints the message and calls abort().
class mpi_session {
public:
    /// \param most_s time limit for MPI_Finalize, s, when no heartbeat watches any more; after it this process exits
    /// with 1. \throws runtime_failure when MPI_THREAD_MULTIPLE is not available, which the heartbeat needs.
    mpi_session(int& argc, char**& argv, double most_s = 30.0);
    ~mpi_session();
    mpi_session(const mpi_session&) = delete;
    mpi_session& operator=(const mpi_session&) = delete;

    int rank() const { return rank_; }
    int ranks() const { return ranks_; }
    const std::string& host() const { return host_; }

    [[noreturn]] static void abort(int code);
    static std::string version();

    /// Whether this MPI says that it reads and writes device memory (CUDA-aware).
    static bool takes_device_memory();

    /// Whether the process was started by mpirun, srun or similar. A single process needs no MPI.
    static bool started_by_launcher();

private:
    int rank_ = 0, ranks_ = 1, exceptions_ = 0;
    double most_s_;
    std::string host_;
};

} // namespace gaisnet
