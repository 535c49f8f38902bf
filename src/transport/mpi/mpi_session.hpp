#pragma once

#include <mpi.h>

#include <string>
#include <utility>

namespace gaisnet {

/// Throws runtime_failure naming the call, MPI's reason, rank and host unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Calls an MPI function and checks what it returns.
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
    /// A communicator of its own for the same ranks. Every rank has to call it.
    static mpi_communicator duplicate_world();

private:
    MPI_Comm comm_ = MPI_COMM_NULL;
};

/// MPI from start to end of the process. Finalises only when no exception is under way: a rank that failed must not wait
/// for the others in MPI_Finalize; main prints the message and calls abort().
class mpi_session {
public:
    /// \param most_s seconds for its end, when no heartbeat watches any more: then this process ends with 1.
    /// \throws runtime_failure when MPI_THREAD_MULTIPLE, which the heartbeat needs, is not granted.
    mpi_session(int& argc, char**& argv, double most_s = 30.0);
    ~mpi_session();
    mpi_session(const mpi_session&) = delete;
    mpi_session& operator=(const mpi_session&) = delete;

    int rank() const { return rank_; }
    int ranks() const { return ranks_; }
    const std::string& host() const { return host_; }

    [[noreturn]] static void abort(int code);
    static std::string version();

    /// True when this MPI reads and writes device memory (CUDA-aware), as it says itself.
    static bool takes_device_memory();

    /// True under mpirun, srun and the like. Alone, the program needs no MPI.
    static bool started_by_launcher();

private:
    int rank_ = 0, ranks_ = 1, exceptions_ = 0;
    double most_s_;
    std::string host_;
};

} // namespace gaisnet
