#include "base/time_limit.hpp"

#include "base/error.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <stop_token>

namespace gaisnet {

time_limit::time_limit(double seconds, std::string message)
    : thread_([seconds, message = std::move(message)](const std::stop_token& stop) {
        constexpr std::chrono::milliseconds turn(100);
        std::mutex guard;
        std::condition_variable_any wake;
        std::unique_lock lock(guard);
        for (double left = seconds; left > 0; left -= std::chrono::duration<double>(turn).count()) {
            if (wake.wait_for(lock, stop, turn, [] { return false; }); stop.stop_requested()) {
                return;
            }
        }
        std::fprintf(stderr, "gaisnet: error: %s\n", message.c_str());
        std::fflush(nullptr);
        std::_Exit(static_cast<int>(exit_code::runtime_failure));
    }) {}

} // namespace gaisnet
