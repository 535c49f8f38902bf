#pragma once

#include <stdexcept>
#include <string>

namespace gaisnet {

/// Exit codes of the program; documented in analysis/guide/running.md.
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
    /// \param on_all_ranks every rank most likely finds this error, so only one rank reports it.
    error(exit_code code, const std::string& message, bool on_all_ranks = false)
        : std::runtime_error(message)
        , code_(code)
        , on_all_ranks_(on_all_ranks) {}
    exit_code code() const noexcept { return code_; }
    bool on_all_ranks() const noexcept { return on_all_ranks_; }

private:
    exit_code code_;
    bool on_all_ranks_;
};

/// The user's input (command line, configuration, weights, data, number of ranks) cannot be used: exit code 2.
class usage_error : public error {
public:
    explicit usage_error(const std::string& message): error(exit_code::usage, message, true) {}
};

/// A device has less memory than what it was to hold needs.
class does_not_fit : public usage_error {
public:
    using usage_error::usage_error;
};

/// Something went wrong while running (a rank died, a disk filled up, a value became non-finite): exit code 1.
class runtime_failure : public error {
public:
    explicit runtime_failure(const std::string& message, bool on_all_ranks = false)
        : error(exit_code::runtime_failure, message, on_all_ranks) {}
};

/// A broken invariant is the program's own fault; it is checked in every build.
inline void ensure(bool holds, const char* what) {
    if (!holds) {
        throw std::logic_error(std::string("internal error: ") + what);
    }
}

} // namespace gaisnet
