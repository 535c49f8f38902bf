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

/// Finds ranks that have died or hang: a thread a rank tells rank 0 once a second that its process lives and what it
/// does, and rank 0 tells the others. It beats through long computations, so a slow message or a long step is never
/// taken for a failure. Silence ends all ranks with one message: host, rank, nodes, last operation. A process on rank
/// 0's host that is gone is found at once, before the launcher, which then ends all others, has done so.
class heartbeat {
public:
    /// Every rank has to make one.
    explicit heartbeat(const mpi_session&);
    ~heartbeat();
    heartbeat(const heartbeat&) = delete;
    heartbeat& operator=(const heartbeat&) = delete;

    /// Waits for all ranks to come here, and finds those that do not, as ever. Every rank has to call it.
    void meet();
    /// Beats for the last time, and says that this rank ends for a reason it has told. Further calls do nothing.
    void leave();

    /// \param nodes what this rank plays. \param silence_s seconds after which a rank counts as dead; 10 before.
    void describe(std::string_view nodes, double silence_s);
    /// What this rank does now; cheap.
    void note(std::string_view operation);

private:
    using clock = std::chrono::steady_clock;
    struct beat {
        std::int32_t leaving = 0; ///< The rank ends in good order.
        std::array<char, 64> host{};
        std::array<char, 128> nodes{};
        std::array<char, 128> operation{};
    };
    struct peer {
        int rank = 0;
        pid_t process = 0; ///< 0: not on this host, or not to be seen from here.
        clock::time_point heard;
        beat last;
        MPI_Request request = MPI_REQUEST_NULL;
        beat outgoing;
        bool gone = false; ///< The process was not there a turn ago.
    };

    void run(const std::stop_token& stop);
    void send_to(peer&, bool leaving);
    void receive();
    void judge();

    int rank_;
    std::atomic<double> silence_s_ = 10.0;
    std::atomic<bool> has_news_ = false; ///< The next beat does not wait for its time.
    mpi_communicator comm_;
    std::vector<peer> peers_; ///< Rank 0: all others; elsewhere: rank 0.
    std::mutex guard_;
    beat mine_;
    std::jthread thread_;
};

} // namespace gaisnet
