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

/// Shows how far a run is and how much time is left. In automatic mode on a terminal it rewrites one line; otherwise it
/// prints a new line at most every `interval`, and always a last one. Thread safe.
class progress {
public:
    explicit progress(progress_mode mode, std::FILE* stream = stderr,
                      std::chrono::duration<double> interval = std::chrono::seconds(5));
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress(); ///< finish()

    /// `done` of `total` steps are finished; `text` says what is being done ("round 3, cluster 2"). The remaining time
    /// is estimated from the steps since the first call, so that a resumed run does not count earlier steps. When
    /// `done` decreases, a new estimate begins.
    void update(std::uint64_t done, std::uint64_t total, const std::string& text);
    /// Clears the live line, so that something else can be printed; the next update draws it again.
    void clear();
    /// Prints the latest update if `interval` held it back, and ends the live line. Calling it again has no effect
    /// until the next update.
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
    bool pending_ = false; ///< An update has not been shown yet.
    bool on_screen_ = false;
    std::uint64_t base_ = 0, done_ = 0, total_ = 0;
    std::string text_;
};

} // namespace gaisnet
