#include "transport/mpi/heartbeat.hpp"

#include "base/error.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

namespace gaisnet {

namespace {

template <std::size_t Size>
void copy_text(std::array<char, Size>& to, std::string_view text) {
    const auto length = std::min(text.size(), Size - 1);
    std::memcpy(to.data(), text.data(), length);
    to[length] = '\0';
}

constexpr int beat_tag = 1;
constexpr auto beat_interval = std::chrono::seconds(1);
constexpr auto turn = std::chrono::milliseconds(100);

} // namespace

heartbeat::heartbeat(const mpi_session& session): rank_(session.rank()), comm_(mpi_communicator::duplicate_world()) {
    copy_text(mine_.host, session.host());
    copy_text(mine_.nodes, "not known yet");
    copy_text(mine_.operation, "start");
    struct {
        beat first;
        std::int64_t process = 0;
    } me{mine_, ::getpid()};
    std::vector<decltype(me)> all(static_cast<std::size_t>(session.ranks()));
    GAISNET_MPI(MPI_Allgather, &me, sizeof me, MPI_BYTE, all.data(), sizeof me, MPI_BYTE, comm_.get());
    const auto watch = [&](int rank) {
        const auto& its = all[static_cast<std::size_t>(rank)];
        peer one;
        one.rank = rank;
        one.heard = clock::now();
        one.last = its.first;
        const auto process = static_cast<pid_t>(its.process);
        // A process in a container may be invisible although it exists.
        if (its.first.host == mine_.host && ::kill(process, 0) == 0) {
            one.process = process;
        }
        peers_.push_back(one);
    };
    for (int rank = 1; rank < session.ranks() && rank_ == 0; ++rank) {
        watch(rank);
    }
    if (rank_ != 0) {
        watch(0);
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

heartbeat::~heartbeat() { leave(); }

void heartbeat::meet() {
    MPI_Request all_here = MPI_REQUEST_NULL;
    GAISNET_MPI(MPI_Ibarrier, MPI_COMM_WORLD, &all_here); // transports have their own communicators
    for (int done = 0; !done;) {
        GAISNET_MPI(MPI_Test, &all_here, &done, MPI_STATUS_IGNORE);
        if (!done) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
}

void heartbeat::leave() {
    thread_.request_stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void heartbeat::describe(std::string_view nodes, double silence_s) {
    silence_s_ = silence_s;
    {
        const std::lock_guard lock(guard_);
        copy_text(mine_.nodes, nodes);
    }
    has_news_ = true;
}

void heartbeat::note(std::string_view operation) {
    const std::lock_guard lock(guard_);
    copy_text(mine_.operation, operation);
}

void heartbeat::send_to(peer& to, bool leaving) {
    int free = 1;
    if (to.request != MPI_REQUEST_NULL) {
        GAISNET_MPI(MPI_Test, &to.request, &free, MPI_STATUS_IGNORE);
    }
    if (!free) {
        return; // the peer does not accept the message; its silence will be noticed
    }
    {
        const std::lock_guard lock(guard_);
        to.outgoing = mine_;
    }
    to.outgoing.leaving = leaving ? 1 : 0;
    GAISNET_MPI(MPI_Isend, &to.outgoing, sizeof(beat), MPI_BYTE, to.rank, beat_tag, comm_.get(), &to.request);
}

void heartbeat::receive() {
    for (;;) {
        int found = 0;
        MPI_Message handle = MPI_MESSAGE_NULL;
        MPI_Status status;
        GAISNET_MPI(MPI_Improbe, MPI_ANY_SOURCE, beat_tag, comm_.get(), &found, &handle, &status);
        if (!found) {
            return;
        }
        beat arrived;
        GAISNET_MPI(MPI_Mrecv, &arrived, sizeof(beat), MPI_BYTE, &handle, MPI_STATUS_IGNORE);
        for (auto& one : peers_) {
            if (one.rank == status.MPI_SOURCE) {
                one.heard = clock::now();
                one.last = arrived;
            }
        }
    }
}

void heartbeat::judge() {
    for (auto& one : peers_) {
        if (one.last.leaving) {
            continue;
        }
        // All ranks but rank 0 watch only rank 0, and one of them reports its end. A last message of a dead process may
        // still be under way, so the next turn decides.
        const bool missing = one.process != 0 && rank_ <= 1 && ::kill(one.process, 0) != 0 && errno == ESRCH;
        const bool dead = missing && std::exchange(one.gone, true);
        const std::chrono::duration<double> silence(silence_s_);
        if (!dead && clock::now() - one.heard < silence) {
            continue;
        }
        const auto what = dead ? std::string("has died (killed, or out of memory)")
                               : "has given no sign of life for " + std::to_string(std::lround(silence.count())) + " s";
        std::fprintf(stderr,
                     "gaisnet: error: rank %d on host %s (nodes: %s) %s; its last operation: %s. All ranks end.\n",
                     one.rank, one.last.host.data(), one.last.nodes.data(), what.c_str(), one.last.operation.data());
        mpi_session::abort(static_cast<int>(exit_code::runtime_failure));
    }
}

void heartbeat::run(const std::stop_token& stop) {
    try {
        auto last_turn = clock::now(), last_beat = last_turn - beat_interval;
        while (!stop.stop_requested()) {
            const auto now = clock::now();
            if (now - last_turn > std::chrono::seconds(3)) { // this process was stopped itself: silence proves nothing
                for (auto& one : peers_) {
                    one.heard = now;
                }
            }
            last_turn = now;
            receive();
            if (now - last_beat >= beat_interval || has_news_.exchange(false)) {
                last_beat = now;
                for (auto& one : peers_) {
                    send_to(one, false);
                }
            }
            judge();
            std::this_thread::sleep_for(turn);
        }
        for (auto& one : peers_) {
            send_to(one, true);
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "gaisnet: error: the failure detection of rank %d failed: %s\n", rank_, problem.what());
        mpi_session::abort(static_cast<int>(exit_code::runtime_failure));
    }
}

} // namespace gaisnet
