#include "session.hpp"

#include "base/error.hpp"
#include "transport/loopback.hpp"
#include "transport/mpi/mpi_transport.hpp"

#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include <array>

namespace gaisnet {

namespace {

volatile std::sig_atomic_t requeue_signal = 0;
volatile std::sig_atomic_t interrupt_signal = 0;

void on_requeue(int) { requeue_signal = 1; }
void on_interrupt(int) {
    if (interrupt_signal) { // the second one does not wait for the end of a step
        std::_Exit(static_cast<int>(exit_code::interrupted));
    }
    interrupt_signal = 1;
}

} // namespace

session::session(int& argc, char**& argv) {
    if (mpi_session::started_by_launcher()) {
        mpi_ = std::make_unique<mpi_session>(argc, argv);
    }
    if (mpi_ && mpi_->ranks() > 1) {
        network_ = std::make_unique<mpi_transport>(*mpi_);
    } else {
        network_ = std::move(loopback_world(1).front());
    }
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGUSR2, on_interrupt);
}

void session::accept_requeue() {
    std::signal(SIGTERM, on_requeue);
    std::signal(SIGUSR1, on_requeue);
}

session::~session() = default;

std::string session::host() const {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::string session::mpi_version() const { return mpi_session::version(); }

void session::watch(const std::string& nodes, double silence_s) {
    if (mpi_ && ranks() > 1) {
        heartbeat_ = std::make_unique<heartbeat>(*mpi_, nodes, silence_s);
    }
}

void session::note(std::string_view operation) {
    if (heartbeat_) {
        heartbeat_->note(operation);
    }
}

void session::abort(int code) {
    if (heartbeat_) {
        heartbeat_->leave(); // the others must not take this end for a death
    }
    if (mpi_) {
        mpi_session::abort(code);
    }
    std::exit(code);
}

bool session::requeue_requested() { return requeue_signal != 0; }
bool session::interrupted() { return interrupt_signal != 0; }

void session::check_interrupt() {
    if (interrupted()) {
        throw error(exit_code::interrupted, "interrupted", true); // the launcher tells all ranks
    }
}

} // namespace gaisnet
