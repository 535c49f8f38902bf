#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace gaisnet {

/// A file that appears under its name only when it is complete: it is written under a temporary name in the same
/// folder, synced, and renamed. An object that is destroyed before `commit` removes its temporary file; a killed
/// process leaves only a hidden "*.tmp". Every failure throws runtime_failure with the path and the system's reason.
class atomic_file {
public:
    /// \param target final path; an existing regular file is replaced at `commit`, anything else is refused.
    explicit atomic_file(std::filesystem::path target);
    ~atomic_file();
    atomic_file(const atomic_file&) = delete;
    atomic_file& operator=(const atomic_file&) = delete;

    /// Writes at a byte offset; bytes never written read as zero.
    void write_at(std::size_t offset, std::span<const std::byte> bytes);
    void commit();

private:
    [[noreturn]] void fail(int code) const;

    std::filesystem::path target_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
    bool committed_ = false;
};

} // namespace gaisnet
