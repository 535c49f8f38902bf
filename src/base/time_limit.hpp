#pragma once

#include <string>
#include <thread>

namespace gaisnet {

/// Ends this process with exit code 1 and a message when an operation that nothing else watches takes too long. Time
/// during which the process itself was stopped does not count.
class time_limit {
public:
    /// \param message for the user: what did not happen, and what can be done.
    time_limit(double seconds, std::string message);
    ~time_limit() = default;
    time_limit(const time_limit&) = delete;
    time_limit& operator=(const time_limit&) = delete;

private:
    std::jthread thread_;
};

} // namespace gaisnet
