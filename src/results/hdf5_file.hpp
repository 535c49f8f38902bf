#pragma once

#include "base/error.hpp"

#include <H5Cpp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace gaisnet {

/// Stops HDF5 from printing its error stack and records this thread's first failure instead.
void capture_hdf5_errors();

/// Throws runtime_failure "FILE: cannot WHAT: REASON", with the reason recorded since capture_hdf5_errors().
[[noreturn]] void throw_hdf5_failure(const std::string& path, std::string_view what);

/// Runs `action`; an HDF5 error inside it becomes a runtime_failure that names the file, the current operation `what`
/// ("write /rounds") and HDF5's reason.
template <typename Action>
decltype(auto) hdf5_guarded(const std::string& path, std::string_view what, Action&& action) {
    capture_hdf5_errors();
    try {
        return std::forward<Action>(action)();
    } catch (const H5::Exception&) {
        throw_hdf5_failure(path, what);
    }
}

/// Owner of a file descriptor.
class file_descriptor {
public:
    explicit file_descriptor(int descriptor = -1) noexcept: descriptor_(descriptor) {}
    file_descriptor(file_descriptor&& other) noexcept: descriptor_(std::exchange(other.descriptor_, -1)) {}
    file_descriptor& operator=(file_descriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~file_descriptor();
    int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

/// Whether another process holds a lock on the file. Some network file systems have no flock: on these nobody does.
bool held_by_another(const file_descriptor&);

/// An HDF5 file with one writer. Other processes may read it while it grows (SWMR), and it survives a kill of its
/// writer and a full disk. Not thread safe. After a failed flush HDF5 1.10.8 can neither close the file nor end the
/// process without a crash. So disk space is reserved before each write, and if a write still fails (a broken disk or
/// server), the file is abandoned.
class hdf5_file {
public:
    /// Creates an empty file, hidden beside `path` until publish(); it is removed with this object if publish() is
    /// never called. Throws usage_error when the path cannot be written, is not a regular file, exists and `overwrite`
    /// is false, or is being written by another run.
    static hdf5_file create(const std::string& path, bool overwrite);
    /// Throws what create() would throw, as far as that can be told without creating the file.
    static void check(const std::string& path, bool overwrite);
    /// Whether a file can be opened, even while another process writes it. Reads nothing else: HDF5 1.10 may loop for
    /// ever on a torn file.
    static bool opens(const std::string& path);

    hdf5_file(hdf5_file&&) noexcept = default;
    hdf5_file& operator=(hdf5_file&&) = delete;
    ~hdf5_file(); ///< Closes; errors are ignored.

    H5::H5File& handle() { return *file_; }
    const std::string& path() const { return path_; }
    bool open() const { return file_ != nullptr; }
    bool published() const { return hidden_.empty(); }

    /// Makes sure that the file can grow by `bytes`. Throws runtime_failure (disk full, quota, file size limit); the
    /// file then stays unchanged and usable.
    void reserve(std::uint64_t bytes);
    /// Gives the file its name and replaces an existing file. From here on other processes can read it, and no object
    /// or attribute can be added. Throws runtime_failure.
    void publish();
    /// Writes all buffers. Throws runtime_failure; then the file is closed and keeps what was written.
    void flush();
    /// Flushes and closes. Throws runtime_failure as flush().
    void close();
    /// Abandons the file without closing it: its handle is leaked, and the process will end without HDF5's clean-up,
    /// with its exit status unchanged. All objects of the file must be leaked too.
    void abandon() noexcept { abandon(end_of_file()); }
    bool abandoned() const { return abandoned_; }

private:
    hdf5_file(std::string path, std::string hidden, file_descriptor lock);
    void forget_hidden() noexcept;
    /// The end of the file as HDF5 knows it; call it only while the file is open.
    std::uint64_t end_of_file() const noexcept;
    void abandon(std::uint64_t end) noexcept;
    int descriptor() const;
    void share_lock();

    std::string path_;
    std::string hidden_;   ///< Path before publish(); empty afterwards.
    file_descriptor lock_; ///< Holds a shared advisory lock: readers may open the file, a second writer may not.
    std::unique_ptr<H5::H5File> file_;
    bool abandoned_ = false;
};

/// Adds a variable-length UTF-8 string attribute. It cannot be changed once SWMR writing has started.
void add_text(H5::H5Object& object, const std::string& name, const std::string& value);
/// Adds a UTF-8 string attribute of at most `capacity` bytes, which set_text() can change at any time.
void add_fixed_text(H5::H5Object& object, const std::string& name, std::size_t capacity, const std::string& value);
void set_text(H5::H5Object& object, const std::string& name, const std::string& value);
/// Reads a string attribute of either kind.
std::string read_text(const H5::H5Object& object, const std::string& name);

void add_integer(H5::H5Object& object, const std::string& name, std::uint64_t value);
std::uint64_t read_integer(const H5::H5Object& object, const std::string& name);
void add_real(H5::H5Object& object, const std::string& name, double value);
/// Booleans are stored as h5py does, as an enumeration FALSE, TRUE.
void add_flag(H5::H5Object& object, const std::string& name, bool value);
void set_flag(H5::H5Object& object, const std::string& name, bool value);

/// Type of UTF-8 text of `size` bytes, padded with zeros; of variable length with H5T_VARIABLE.
H5::StrType text_type(std::size_t size);

/// `text` cut to at most `capacity` bytes without splitting a UTF-8 character.
std::string_view fit_text(std::string_view text, std::size_t capacity);

} // namespace gaisnet
