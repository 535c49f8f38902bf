// Run under mpirun with any number of ranks.

#include "transport/mpi/mpi_transport.hpp"

#include "support/mpi_main.hpp"
#include "transport/conformance.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace gaisnet {
namespace {

TEST(mpi, conforms) {
    mpi_transport network(lab::mpi());
    conformance::everything({network});
}

TEST(mpi, conforms_when_everything_goes_in_small_chunks) {
    mpi_transport network(lab::mpi(), {64, 1 << 16, 100});
    conformance::everything({network});
}

TEST(mpi, a_message_above_two_gibibytes) {
    const auto free_bytes = static_cast<std::int64_t>(::sysconf(_SC_AVPHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
    int enough = lab::mpi().ranks() > 1 && free_bytes > (std::int64_t{6} << 30) ? 1 : 0;
    MPI_Bcast(&enough, 1, MPI_INT, 0, MPI_COMM_WORLD); // memory falls while the others look
    if (!enough) {
        GTEST_SKIP() << "a message above 2 GiB needs two ranks and 6 GiB of free memory, of which "
                     << (free_bytes >> 20) << " MiB are there";
    }
    mpi_transport network(lab::mpi());
    constexpr std::int64_t bytes = (std::int64_t{2} << 30) + (200 << 20);
    if (network.rank() == 0 && network.ranks() > 1) {
        network.send(1, {{0, 1, message_kind::modules}, conformance::pattern(bytes, 7)});
    }
    if (network.rank() == 1) {
        const auto arrived = conformance::receive({network}, 1);
        ASSERT_EQ(arrived.size(), 1U);
        EXPECT_EQ(arrived[0].tensor.bytes(), static_cast<std::size_t>(bytes));
        EXPECT_TRUE(conformance::holds_pattern(arrived[0].tensor, 7));
    }
    conformance::finish(network);
}

// The sender computes, so to speak, until the receiver says by other means that it has everything.
TEST(mpi, a_message_leaves_while_its_sender_computes) {
    mpi_transport network(lab::mpi());
    if (network.ranks() == 1) {
        GTEST_SKIP() << "a message needs two ranks";
    }
    namespace fs = std::filesystem;
    auto sender = static_cast<std::int64_t>(::getpid());
    MPI_Bcast(&sender, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
    const auto mark = fs::temp_directory_path() / ("gaisnet-arrived." + std::to_string(sender));
    constexpr std::int64_t bytes = 8 << 20; // above all eager limits
    if (network.rank() == 0) {
        network.send(1, {{0, 1, message_kind::forward}, conformance::pattern(bytes, 3)});
        const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!fs::exists(mark) && std::chrono::steady_clock::now() < last) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_TRUE(fs::exists(mark)) << "it waits for the end of the sender's work";
    }
    if (network.rank() == 1) {
        EXPECT_TRUE(conformance::holds_pattern(conformance::receive({network}, 1).at(0).tensor, 3));
        std::ofstream{mark};
    }
    conformance::finish(network);
    fs::remove(mark);
}

} // namespace
} // namespace gaisnet
