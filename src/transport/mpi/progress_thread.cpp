#include "transport/mpi/progress_thread.hpp"

#include <sys/prctl.h>

#include <chrono>
#include <utility>

namespace gaisnet {

namespace {

constexpr auto interval = std::chrono::microseconds(100);

} // namespace

progress_thread::progress_thread(std::function<bool()> advance)
    : advance_(std::move(advance))
    , thread_([this](const std::stop_token& stop) { run(stop); }) {}

progress_thread::~progress_thread() {
    thread_.request_stop();
    wake();
}

void progress_thread::wake() {
    if (!awake_.exchange(true)) {
        awake_.notify_one();
    }
}

void progress_thread::run(const std::stop_token& stop) {
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (;;) {
        awake_.wait(false);
        awake_.exchange(false); // before it looks, so that a call of wake() meanwhile counts
        if (stop.stop_requested()) {
            return;
        }
        if (advance_()) {
            awake_ = true;
            std::this_thread::sleep_for(interval);
        }
    }
}

} // namespace gaisnet
