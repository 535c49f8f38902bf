#include "support/mpi_main.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace gaisnet::lab {

namespace {

const mpi_session* session = nullptr;

class failures_only final : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (result.failed()) {
            std::fprintf(stderr, "%s:%d: %s\n", result.file_name() ? result.file_name() : "?", result.line_number(),
                         result.message());
        }
    }
};

} // namespace

const mpi_session& mpi() { return *session; }

void skip_all(const char* reason) {
    if (mpi().rank() == 0) {
        std::printf("skipped: %s\n", reason);
        std::fflush(stdout);
    }
    MPI_Finalize();
    std::_Exit(77);
}

} // namespace gaisnet::lab

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    gaisnet::mpi_session mpi(argc, argv);
    gaisnet::lab::session = &mpi;
    if (mpi.rank() != 0) { // the other ranks print only what fails
        auto& listeners = testing::UnitTest::GetInstance()->listeners();
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new gaisnet::lab::failures_only);
    }
    int failed = RUN_ALL_TESTS(), any = 0;
    MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return any;
}
