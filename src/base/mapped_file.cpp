#include "base/mapped_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gaisnet {

void mapped_file::unmapper::operator()(const std::byte* memory) const {
    ::munmap(const_cast<std::byte*>(memory), size);
}

mapped_file mapped_file::open(const std::filesystem::path& path, std::error_code& code) {
    mapped_file result;
    // Without O_NONBLOCK the open of a pipe would wait for a writer before its type could be refused.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        code.assign(errno, std::generic_category());
        return result;
    }
    code.clear();
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        code.assign(errno, std::generic_category());
    } else if (S_ISDIR(status.st_mode)) {
        code = std::make_error_code(std::errc::is_a_directory);
    } else if (!S_ISREG(status.st_mode)) {
        code = std::make_error_code(std::errc::not_supported);
    } else if (status.st_size > 0) {
        const auto size = static_cast<std::size_t>(status.st_size);
        void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (memory == MAP_FAILED) {
            code.assign(errno, std::generic_category());
        } else {
            result.memory_ = {static_cast<const std::byte*>(memory), unmapper{size}};
        }
    }
    ::close(descriptor); // The mapping stays.
    return result;
}

void mapped_file::drop_pages() const {
    if (memory_) {
        // Only a hint: when the kernel declines, the pages merely stay resident.
        static_cast<void>(::madvise(const_cast<std::byte*>(memory_.get()), bytes().size(), MADV_DONTNEED));
    }
}

} // namespace gaisnet
