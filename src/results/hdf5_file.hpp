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

/// Stops HDF5 from printing its error stack and keeps the reason of the first failure of this thread instead.
void capture_hdf5_errors();

/// Throws runtime_failure "FILE: cannot WHAT: REASON", the reason as captured since capture_hdf5_errors().
[[noreturn]] void throw_hdf5_failure(const std::string& path, std::string_view what);

/// Runs `action`; a failure of HDF5 inside it becomes a runtime_failure that names the file, `what` was being done
/// ("write /rounds") and HDF5's own reason.
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

/// An HDF5 file with one writer that other processes may read while it grows (SWMR), and that survives a kill of its
/// writer and a full disk. Not thread safe. After a failed flush HDF5 can neither close the file nor end the process
/// without a crash (seen with 1.10.8), so disk space is reserved before anything is handed to it, and after a failure
/// all the same (a broken disk or server) the file is abandoned.
class hdf5_file {
public:
    /// Makes an empty file, which lies beside `path` under a hidden name until publish(), and goes with this object if
    /// that does not come. Throws usage_error when the path cannot be written, is not a regular file, exists and
    /// `overwrite` is false, or is being written by another run.
    static hdf5_file create(const std::string& path, bool overwrite);
    /// Whether create() would make the file, as far as that can be told without making it: throws what create() would.
    static void check(const std::string& path, bool overwrite);
    /// Whether a file can be opened, also one that another process writes. No more is tried: HDF5 1.10 may read a torn
    /// file for ever.
    static bool opens(const std::string& path);

    hdf5_file(hdf5_file&&) noexcept = default;
    hdf5_file& operator=(hdf5_file&&) = delete;
    ~hdf5_file(); ///< Closes quietly.

    H5::H5File& handle() { return *file_; }
    const std::string& path() const { return path_; }
    bool open() const { return file_ != nullptr; }
    bool published() const { return hidden_.empty(); }

    /// Makes sure that the file can grow by `bytes`. Throws runtime_failure (disk full, quota, file size limit); the
    /// file stays as it is and usable.
    void reserve(std::uint64_t bytes);
    /// Gives the file its name, in place of what had it. From here on other processes can read; no object or attribute
    /// can be added any more. Throws runtime_failure.
    void publish();
    /// Writes everything out. Throws runtime_failure, after which the file is closed and stays as far as it got.
    void flush();
    /// Flushes and closes. Throws runtime_failure as flush().
    void close();
    /// Gives the file up without asking HDF5 to close it: its handle is leaked, and the process will end without
    /// HDF5's clean-up, with the exit status as given. Every object of the file has to be leaked too.
    void abandon() noexcept { abandon(end_of_file()); }
    bool abandoned() const { return abandoned_; }

private:
    hdf5_file(std::string path, std::string hidden, file_descriptor lock);
    void forget_hidden() noexcept;
    /// Where HDF5 has put the end of the file; it may be asked only while the file is open.
    std::uint64_t end_of_file() const noexcept;
    void abandon(std::uint64_t end) noexcept;
    int descriptor() const;
    void share_lock();

    std::string path_;
    std::string hidden_;   ///< Where it lies before publish(); then empty.
    file_descriptor lock_; ///< Holds a shared advisory lock: readers pass, a second writer does not.
    std::unique_ptr<H5::H5File> file_;
    bool abandoned_ = false;
};

/// Makes an attribute of a variable-length UTF-8 string. It cannot be changed once SWMR writing has started.
void add_text(H5::H5Object& object, const std::string& name, const std::string& value);
/// Makes an attribute of a UTF-8 string of at most `capacity` bytes, which set_text() can change at any time.
void add_fixed_text(H5::H5Object& object, const std::string& name, std::size_t capacity, const std::string& value);
void set_text(H5::H5Object& object, const std::string& name, const std::string& value);
/// Reads either of the two.
std::string read_text(const H5::H5Object& object, const std::string& name);

void add_integer(H5::H5Object& object, const std::string& name, std::uint64_t value);
std::uint64_t read_integer(const H5::H5Object& object, const std::string& name);
void add_real(H5::H5Object& object, const std::string& name, double value);
/// Booleans are stored as h5py does, as an enumeration FALSE, TRUE.
void add_flag(H5::H5Object& object, const std::string& name, bool value);
void set_flag(H5::H5Object& object, const std::string& name, bool value);

/// Type of UTF-8 text in `size` bytes, the rest zero; of any length with H5T_VARIABLE.
H5::StrType text_type(std::size_t size);

/// `text` cut to at most `capacity` bytes without splitting a UTF-8 character.
std::string_view fit_text(std::string_view text, std::size_t capacity);

} // namespace gaisnet
