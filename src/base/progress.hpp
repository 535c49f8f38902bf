#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

namespace gaisnet {

enum class progress_mode { automatic, plain, none };

/// "auto", "plain" or "none"; throws usage_error otherwise.
progress_mode parse_progress_mode(const std::string& text);

/// Shows how far a run is and how long it will still take. On a terminal (automatic) one line that is written over and
/// over; otherwise a line of its own at most every `interval`, and always a last one. Thread safe.
class progress {
public:
    explicit progress(progress_mode mode, std::FILE* stream = stderr,
                      std::chrono::duration<double> interval = std::chrono::seconds(5));
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress(); ///< finish()

    /// `done` of `total` steps; `text` says what is being done ("round 3, cluster 2"). The time left is estimated from
    /// the steps since the first call, so that a resumed run does not count what it did not do. A `done` that falls
    /// starts a new estimate.
    void update(std::uint64_t done, std::uint64_t total, const std::string& text);
    /// Wipes the live line, so that something else can be printed; the next update draws it again.
    void clear();
    /// Prints what the interval held back and ends the live line. Further calls do nothing until the next update.
    void finish();

private:
    using clock = std::chrono::steady_clock;
    void show(clock::time_point now);
    std::string line(clock::time_point now) const;

    std::mutex mutex_;
    std::FILE* stream_;
    bool enabled_;
    bool live_;
    std::chrono::duration<double> interval_;
    clock::time_point begin_{}, shown_{};
    bool started_ = false;
    bool pending_ = false; ///< There is an update that was not shown.
    bool on_screen_ = false;
    std::uint64_t base_ = 0, done_ = 0, total_ = 0;
    std::string text_;
};

} // namespace gaisnet
