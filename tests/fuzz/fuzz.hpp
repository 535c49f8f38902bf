#pragma once

// What the fuzz targets have in common: files of the fuzzer's bytes, and which errors are meant.

#include "base/error.hpp"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

namespace gaisnet::fuzz {

/// A folder in memory that goes with the process.
inline const std::filesystem::path& folder() {
    static const std::filesystem::path path = [] {
        std::string pattern = "/dev/shm/gaisnet-fuzz-XXXXXX";
        static std::string made = ::mkdtemp(pattern.data()) ? pattern : std::string();
        std::atexit([] {
            std::error_code ignored;
            std::filesystem::remove_all(made, ignored);
        });
        return std::filesystem::path(made);
    }();
    return path;
}

inline std::string put(const std::string& name, std::span<const std::uint8_t> bytes) {
    auto path = (folder() / name).string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
}

/// Bad input ends in one of the program's own errors with a message; all else is a fault.
template <typename Work>
void expect_own_error(const Work& work) {
    try {
        work();
    } catch (const error& problem) {
        if (std::string(problem.what()).empty()) {
            std::abort();
        }
    }
}

} // namespace gaisnet::fuzz
