#pragma once

#include <stdexcept>
#include <string>

namespace gaisnet {

/// Exit codes of the program; documented in the README.
enum class exit_code : int {
    ok = 0,
    runtime_failure = 1,
    usage = 2,
    fidelity = 3,
    requeue = 75,
    interrupted = 130,
};

/// Base of every error the program reports to its user. The message names the culprit (file, key, value, node, rank)
/// and what is accepted.
class error : public std::runtime_error {
public:
    error(exit_code code, const std::string& message): std::runtime_error(message), code_(code) {}
    exit_code code() const noexcept { return code_; }

private:
    exit_code code_;
};

/// The user's input (command line, configuration, weights, data, number of ranks) cannot be used: exit code 2.
class usage_error : public error {
public:
    explicit usage_error(const std::string& message): error(exit_code::usage, message) {}
};

/// Something went wrong while running (a rank died, a disk filled up, a value became non-finite): exit code 1.
class runtime_failure : public error {
public:
    explicit runtime_failure(const std::string& message): error(exit_code::runtime_failure, message) {}
};

/// A broken invariant is the program's own fault; it is checked in every build.
inline void ensure(bool holds, const char* what) {
    if (!holds) {
        throw std::logic_error(std::string("internal error: ") + what);
    }
}

} // namespace gaisnet
