#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <system_error>

namespace gaisnet {

/// A regular file mapped read-only as a whole (MAP_SHARED: processes that map the same file share its pages). The
/// mapping lives as long as the object; the file must not be shortened meanwhile.
class mapped_file {
public:
    mapped_file() = default;
    /// Maps `path`. On failure (missing, unreadable, not a regular file) sets `code` and returns an empty map.
    static mapped_file open(const std::filesystem::path& path, std::error_code& code);

    std::span<const std::byte> bytes() const { return {memory_.get(), memory_ ? memory_.get_deleter().size : 0}; }
    /// Releases the resident pages; the kernel reads them again from the page cache when they are touched.
    void drop_pages() const;

private:
    struct unmapper {
        std::size_t size;
        void operator()(const std::byte* memory) const;
    };
    std::unique_ptr<const std::byte[], unmapper> memory_;
};

} // namespace gaisnet
