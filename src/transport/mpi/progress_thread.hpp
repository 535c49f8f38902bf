#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace gaisnet {

/// Lets MPI work while the rank's main thread computes. Large messages are sent in several steps (rendezvous), and most
/// MPI libraries take the next step only inside a call: without this thread a message would wait for the end of its
/// sender's computation. It sleeps while nothing is under way.
class progress_thread {
public:
    /// \param advance calls MPI; returns false when nothing is under way any more. Called by this thread only.
    explicit progress_thread(std::function<bool()> advance);
    ~progress_thread();
    progress_thread(const progress_thread&) = delete;
    progress_thread& operator=(const progress_thread&) = delete;

    /// Tells that something is under way; fast.
    void wake();

private:
    void run(const std::stop_token&);

    std::function<bool()> advance_;
    std::atomic<bool> awake_ = false;
    std::jthread thread_;
};

} // namespace gaisnet
