#include "transport/mpi/mpi_session.hpp"

#include "base/error.hpp"
#include "base/time_limit.hpp"
#include "transport/mpi/single_copy.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>

namespace gaisnet {

namespace {

std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

} // namespace

void check_mpi(int code, const char* call) {
    if (code == MPI_SUCCESS) {
        return;
    }
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0, rank = -1;
    MPI_Error_string(code, text.data(), &length);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    throw runtime_failure(std::string(call) + " failed on rank " + std::to_string(rank) + " (" + host_name() +
                          "): " + text.data());
}

mpi_communicator::~mpi_communicator() {
    int finalised = 0;
    MPI_Finalized(&finalised);
    if (comm_ != MPI_COMM_NULL && !finalised && std::uncaught_exceptions() == 0) {
        MPI_Comm_free(&comm_);
    }
}

mpi_communicator mpi_communicator::duplicate_world() {
    MPI_Comm copy = MPI_COMM_NULL;
    GAISNET_MPI(MPI_Comm_dup, MPI_COMM_WORLD, &copy);
    mpi_communicator out(copy);
    GAISNET_MPI(MPI_Comm_set_errhandler, copy, MPI_ERRORS_RETURN);
    return out;
}

mpi_session::mpi_session(int& argc, char**& argv, double most_s)
    : exceptions_(std::uncaught_exceptions())
    , most_s_(most_s)
    , host_(host_name()) {
    // Open MPI 4 tries it without asking, and complains or fails where it is forbidden.
    constexpr auto* how_to_copy = "OMPI_MCA_btl_vader_single_copy_mechanism";
    if (!std::getenv(how_to_copy) && !reads_other_processes()) {
        ::setenv(how_to_copy, "none", 0);
    }
    int provided = 0;
    GAISNET_MPI(MPI_Init_thread, &argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    GAISNET_MPI(MPI_Comm_set_errhandler, MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    GAISNET_MPI(MPI_Comm_rank, MPI_COMM_WORLD, &rank_);
    GAISNET_MPI(MPI_Comm_size, MPI_COMM_WORLD, &ranks_);
    if (provided < MPI_THREAD_MULTIPLE) {
        throw runtime_failure("this MPI library does not grant MPI_THREAD_MULTIPLE, which failure detection needs");
    }
}

mpi_session::~mpi_session() {
    if (std::uncaught_exceptions() == exceptions_) {
        const time_limit watch(most_s_,
                               "MPI has not ended in time: a rank is stopped, or a computer does not answer; what "
                               "was written is whole");
        MPI_Finalize();
    }
}

void mpi_session::abort(int code) {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code); // MPI_Abort does not return, but is not declared so
}

std::string mpi_session::version() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    MPI_Get_library_version(text.data(), &length);
    const std::string all = text.data();
    return all.substr(0, all.find(','));
}

bool mpi_session::started_by_launcher() {
    for (const auto* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
        if (std::getenv(name)) {
            return true;
        }
    }
    return false;
}

} // namespace gaisnet
