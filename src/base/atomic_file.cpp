#include "base/atomic_file.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gaisnet {

namespace {

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "host";
}

/// Removes what killed processes of this host left beside `target`. Temporary files are named PREFIX PID-NUMBER.tmp. A
/// writer locks its file, so a live process that is not visible from here (in a container, say) loses nothing.
void remove_abandoned(const std::filesystem::path& folder, const std::string& prefix) {
    std::error_code ignored;
    std::vector<std::filesystem::path> abandoned;
    for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, ignored)) {
        const auto name = entry.path().filename().string();
        const auto pid = name.starts_with(prefix) ? std::strtol(name.c_str() + prefix.size(), nullptr, 10) : 0L;
        if (pid <= 0 || ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH) {
            continue;
        }
        const int descriptor = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor >= 0) {
            if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
                abandoned.push_back(entry.path());
            }
            ::close(descriptor);
        }
    }
    for (const auto& path : abandoned) {
        ::unlink(path.c_str());
    }
}

} // namespace

atomic_file::atomic_file(std::filesystem::path target): target_(std::move(target)) {
    struct stat status {};
    if (::stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        throw runtime_failure("cannot write " + printable(target_.string()) + ": it exists and is not a regular file");
    }
    static std::atomic<unsigned> counter = 0;
    const auto prefix = "." + target_.filename().string() + "." + host_name() + ".";
    remove_abandoned(target_.parent_path(), prefix);
    // A name that is already taken is skipped.
    constexpr int attempts = 1000;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        temporary_ =
            target_.parent_path() / (prefix + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp");
        descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor_ >= 0) {
            ::flock(descriptor_, LOCK_EX | LOCK_NB);
            return;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    fail(errno);
}

atomic_file::~atomic_file() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
    if (!committed_) {
        ::unlink(temporary_.c_str());
    }
}

void atomic_file::fail(int code) const {
    throw runtime_failure("cannot write " + printable(target_.string()) + ": " + system_reason(code));
}

void atomic_file::write_at(std::size_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            fail(written < 0 ? errno : ENOSPC);
        }
        offset += static_cast<std::size_t>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

void atomic_file::commit() {
    if (::fsync(descriptor_) != 0) {
        fail(errno);
    }
    // Some network file systems report a failed write only here.
    if (::close(std::exchange(descriptor_, -1)) != 0) {
        fail(errno);
    }
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
        fail(errno);
    }
    committed_ = true;
    // The rename survives a power cut only once the folder is on disk; file systems that cannot sync a folder say so
    // and lose nothing that was promised.
    const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_descriptor >= 0) {
        static_cast<void>(::fsync(folder_descriptor));
        ::close(folder_descriptor);
    }
}

} // namespace gaisnet
