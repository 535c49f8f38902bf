#pragma once

#include "transport/mpi/mpi_session.hpp"

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gaisnet {

/// Detects ranks that have died or hang. A thread on each rank tells rank 0 once a second that its process is alive and
/// what it does, and rank 0 answers. It keeps beating during long computations, so a slow message or step does not
/// count as a failure. Silence ends all ranks with one message: host, rank, nodes, last operation. A process on rank
/// 0's host that is gone is detected at once, before the launcher notices and ends all ranks.
class heartbeat {
public:
    /// Every rank has to make one.
    explicit heartbeat(const mpi_session&);
    ~heartbeat();
    heartbeat(const heartbeat&) = delete;
    heartbeat& operator=(const heartbeat&) = delete;

    /// A barrier that still detects ranks that do not arrive. Every rank has to call it.
    void meet();
    /// Sends the last beat: this rank ends for a reason that it has reported. Further calls do nothing.
    void leave();

    /// \param nodes the nodes of this rank. \param silence_s time after which a rank counts as dead; 10 until this is
    /// called.
    void describe(std::string_view nodes, double silence_s);
    /// Notes the current operation; fast.
    void note(std::string_view operation);

private:
    using clock = std::chrono::steady_clock;
    struct beat {
        std::int32_t leaving = 0; ///< The rank ends regularly.
        std::array<char, 64> host{};
        std::array<char, 128> nodes{};
        std::array<char, 128> operation{};
    };
    struct peer {
        int rank = 0;
        pid_t process = 0; ///< 0: on another host, or invisible.
        clock::time_point heard;
        beat last;
        MPI_Request request = MPI_REQUEST_NULL;
        beat outgoing;
        bool gone = false; ///< The process was missing in the previous turn.
    };

    void run(const std::stop_token& stop);
    void send_to(peer&, bool leaving);
    void receive();
    void judge();

    int rank_;
    std::atomic<double> silence_s_ = 10.0;
    std::atomic<bool> has_news_ = false; ///< The next beat is sent early.
    mpi_communicator comm_;
    std::vector<peer> peers_; ///< On rank 0 all other ranks; elsewhere rank 0.
    std::mutex guard_;
    beat mine_;
    std::jthread thread_;
};

} // namespace gaisnet
