#include "results/hdf5_file.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace gaisnet {

namespace {

thread_local std::string first_reason;

herr_t keep_innermost(unsigned, const H5E_error2_t* entry, void*) {
    if (first_reason.empty() && entry->desc != nullptr) {
        first_reason = entry->desc;
    }
    return 0;
}

// HDF5 calls this instead of printing its error stack; the innermost entry contains the operating system's reason.
herr_t capture(hid_t stack, void*) {
    if (first_reason.empty()) {
        H5Ewalk2(stack, H5E_WALK_UPWARD, keep_innermost, nullptr);
    }
    return 0;
}

std::string reason_of_errno(int code) { return std::generic_category().message(code); }

// "file write failed: time = ..., error message = 'No space left on device', ..." is meant for developers of HDF5.
std::string readable(const std::string& description) {
    const std::string key = "error message = '";
    const auto begin = description.find(key);
    if (begin == std::string::npos) {
        return description.empty() ? "unknown reason" : description;
    }
    const auto end = description.find('\'', begin + key.size());
    return description.substr(begin + key.size(), end - begin - key.size());
}

void refuse_second_writer(const std::string& path, const file_descriptor& file) {
    if (held_by_another(file)) {
        throw usage_error("output '" + path +
                          "': another process has this file open; choose another path with --output");
    }
}

H5::FileAccPropList access_properties() {
    H5::FileAccPropList access;
    access.setLibverBounds(H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    access.setFcloseDegree(H5F_CLOSE_STRONG);
    return access;
}

[[noreturn]] void throw_unwritable(const std::string& path, int code) {
    throw usage_error("output '" + path + "': cannot be written: " + reason_of_errno(code) +
                      "; choose another path with --output");
}

} // namespace

void capture_hdf5_errors() {
    first_reason.clear();
    H5Eset_auto2(H5E_DEFAULT, capture, nullptr);
}

void throw_hdf5_failure(const std::string& path, std::string_view what) {
    throw runtime_failure("'" + path + "': cannot " + std::string(what) + ": " + readable(first_reason));
}

file_descriptor::~file_descriptor() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

hdf5_file::hdf5_file(std::string path, std::string hidden, file_descriptor lock)
    : path_(std::move(path))
    , hidden_(std::move(hidden))
    , lock_(std::move(lock)) {}

hdf5_file::~hdf5_file() {
    if (file_ != nullptr) {
        try {
            close();
        } catch (const std::exception&) {
            // A destructor cannot report an error; the file's status attribute says that the run did not end.
            abandon();
        }
    }
    forget_hidden();
}

void hdf5_file::forget_hidden() noexcept {
    if (!hidden_.empty()) {
        std::error_code ignored;
        std::filesystem::remove(hidden_, ignored);
        hidden_.clear();
    }
}

void hdf5_file::check(const std::string& path, bool overwrite) {
    namespace fs = std::filesystem;
    std::error_code status;
    const fs::path target(path);
    if (path.empty() || path == "-" || fs::is_directory(target, status)) {
        throw usage_error("output '" + path + "': is not the name of a file; give one with --output FILE.h5");
    }
    const auto parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
    if (!fs::is_directory(parent, status)) {
        throw usage_error("output '" + path + "': there is no directory '" + parent.string() +
                          "'; create it or choose another path with --output");
    }
    // Files beside it have longer names: hidden ones, and ones with the host's name and a number.
    constexpr std::size_t longer = 110;
    if (const auto most = ::pathconf(parent.c_str(), _PC_NAME_MAX);
        most > 0 && target.filename().string().size() + longer > static_cast<std::size_t>(most)) {
        throw usage_error("output '" + path + "': the name is too long, since other names are made of it; up to " +
                          std::to_string(static_cast<std::size_t>(most) - longer) + " bytes are accepted");
    }
    const bool exists = fs::exists(target, status);
    if (exists && !fs::is_regular_file(target, status)) {
        throw usage_error("output '" + path + "': is not a regular file; choose another path with --output");
    }
    // HDF5 1.10 crashes if the disk is full when it closes a new file, so the free space is checked first.
    constexpr std::uintmax_t least_room = 256 * 1024;
    if (const auto room = fs::space(parent, status); !status && room.available < least_room) {
        throw usage_error("output '" + path + "': no space is left on the device (" + std::to_string(room.available) +
                          " bytes); choose another path with --output");
    }
    if (exists && !overwrite) {
        throw usage_error("output '" + path +
                          "': the file exists; --overwrite on replaces it, --output chooses another path, and the run "
                          "goes on from its " +
                          "last checkpoint with --resume auto");
    }
    if (::access(exists ? path.c_str() : parent.c_str(), W_OK) != 0) {
        throw_unwritable(path, errno);
    }
}

hdf5_file hdf5_file::create(const std::string& path, bool overwrite) {
    namespace fs = std::filesystem;
    check(path, overwrite);
    const fs::path target(path);
    if (std::error_code status; fs::exists(target, status)) {
        const file_descriptor present(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        if (present.get() < 0) {
            throw_unwritable(path, errno);
        }
        refuse_second_writer(path, present);
    }
    // One name for all runs, so that the file that a killed run left is overwritten.
    const auto hidden = (target.parent_path() / ("." + target.filename().string() + ".partial")).string();
    file_descriptor lock(::open(hidden.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (lock.get() < 0) {
        throw_unwritable(path, errno);
    }
    refuse_second_writer(path, lock);
    hdf5_file result(path, hidden, std::move(lock));
    try {
        hdf5_guarded(path, "create the file", [&] {
            H5::FileCreatPropList creation;
            // Attributes of the root group stay in its header, where SWMR readers follow their changes.
            H5Pset_attr_phase_change(creation.getId(), 64, 0);
            H5Pset_attr_creation_order(creation.getId(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
            result.file_ = std::make_unique<H5::H5File>(hidden, H5F_ACC_TRUNC, creation, access_properties());
        });
    } catch (const runtime_failure& failure) {
        throw usage_error(std::string("output ") + failure.what() + "; choose another path with --output");
    }
    result.share_lock();
    return result;
}

bool hdf5_file::opens(const std::string& path) {
    try {
        hdf5_guarded(path, "open the file", [&] {
            const H5::H5File file(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, H5::FileCreatPropList::DEFAULT,
                                  access_properties());
        });
        return true;
    } catch (const runtime_failure&) {
        return false;
    }
}

bool held_by_another(const file_descriptor& file) {
    const bool free = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    if (free) {
        ::flock(file.get(), LOCK_UN); // HDF5 takes its own lock while it opens the file.
    }
    return !free && errno == EWOULDBLOCK;
}

void hdf5_file::share_lock() {
    // HDF5 holds an exclusive lock until SWMR writing starts, so the shared lock is taken (again) here.
    ::flock(lock_.get(), LOCK_SH | LOCK_NB);
}

int hdf5_file::descriptor() const {
    void* handle = nullptr;
    file_->getVFDHandle(&handle);
    return *static_cast<int*>(handle);
}

void hdf5_file::reserve(std::uint64_t bytes) {
    struct stat file {};
    rlimit limit{};
    if (::fstat(lock_.get(), &file) != 0) {
        throw runtime_failure("'" + path_ + "': cannot read its size: " + reason_of_errno(errno));
    }
    const auto size = static_cast<std::uint64_t>(file.st_size);
    const auto fail = [&](int code) {
        struct statvfs space {};
        const bool known = ::fstatvfs(lock_.get(), &space) == 0;
        throw runtime_failure("'" + path_ + "': there is no room for the next rows, up to " +
                              quantity(static_cast<double>(bytes), "B") +
                              (known ? " with " + quantity(static_cast<double>(space.f_frsize * space.f_bavail), "B") +
                                           " left on the device"
                                     : "") +
                              ": " + reason_of_errno(code));
    };
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size + bytes > limit.rlim_cur) {
        fail(EFBIG);
    }
    int code = 0;
    do {
        // From the start of the file, because HDF5 leaves holes that it fills later.
        code = ::fallocate(lock_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size + bytes)) == 0 ? 0 : errno;
    } while (code == EINTR);
    if (code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO) {
        fail(code);
    }
    if (code != 0) { // A file system without fallocate: check the free space instead.
        struct statvfs space {};
        if (::fstatvfs(lock_.get(), &space) == 0 && space.f_frsize * space.f_bavail < bytes) {
            fail(ENOSPC);
        }
    }
}

void hdf5_file::publish() {
    hdf5_guarded(path_, "start writing for concurrent readers", [&] {
        file_->flush(H5F_SCOPE_GLOBAL);
        if (H5Fstart_swmr_write(file_->getId()) < 0) {
            throw H5::FileIException();
        }
    });
    share_lock();
    if (::rename(hidden_.c_str(), path_.c_str()) != 0) {
        throw runtime_failure("'" + path_ + "': cannot be written: " + reason_of_errno(errno));
    }
    hidden_.clear();
}

void hdf5_file::flush() {
    try {
        hdf5_guarded(path_, "write to the file", [&] { file_->flush(H5F_SCOPE_GLOBAL); });
    } catch (const runtime_failure&) {
        abandon();
        throw;
    }
}

void hdf5_file::close() {
    flush();
    struct stat named {
    }, own{};
    const bool lost = hidden_.empty() && ::fstat(lock_.get(), &own) == 0 &&
                      (::stat(path_.c_str(), &named) != 0 || named.st_ino != own.st_ino || named.st_dev != own.st_dev);
    const auto end = end_of_file();
    try {
        hdf5_guarded(path_, "close the file", [&] { file_->close(); });
    } catch (const runtime_failure&) {
        abandon(end);
        throw;
    }
    file_.reset();
    struct stat file {};
    if (::fstat(lock_.get(), &file) == 0) { // Gives back what reserve() added beyond the end; a failure is harmless.
        [[maybe_unused]] const int given_back = ::ftruncate(lock_.get(), file.st_size);
    }
    lock_ = file_descriptor();
    if (lost) {
        throw runtime_failure("'" + path_ + "': was removed or replaced while the run wrote it");
    }
}

std::uint64_t hdf5_file::end_of_file() const noexcept {
    haddr_t end = 0;
    return file_ != nullptr && H5Fget_eoa(file_->getId(), &end) >= 0 ? end : 0;
}

void hdf5_file::abandon(std::uint64_t end) noexcept {
    if (file_ == nullptr) {
        return;
    }
    struct stat file {};
    if (::fstat(lock_.get(), &file) == 0 && static_cast<std::uint64_t>(file.st_size) < end) {
        // The superblock may already refer to the new end of the file; a shorter file would not open.
        [[maybe_unused]] const int extended = ::ftruncate(lock_.get(), static_cast<off_t>(end));
    }
    static_cast<void>(file_.release());
    abandoned_ = true;
    // Registered last, so it runs before HDF5's own clean-up at exit, which would crash.
    ::on_exit(
        [](int status, void*) {
            std::fflush(nullptr);
            ::_exit(status);
        },
        nullptr);
    lock_ = file_descriptor();
}

namespace {

H5::EnumType flag_type() {
    H5::EnumType type(H5::PredType::NATIVE_INT8);
    std::int8_t value = 0;
    type.insert("FALSE", &value);
    value = 1;
    type.insert("TRUE", &value);
    return type;
}

template <typename T>
void add_scalar(H5::H5Object& object, const std::string& name, const H5::DataType& type, const T& value) {
    object.createAttribute(name, type, H5::DataSpace(H5S_SCALAR)).write(type, &value);
}

} // namespace

H5::StrType text_type(std::size_t size) {
    H5::StrType type(H5::PredType::C_S1, size);
    type.setCset(H5T_CSET_UTF8);
    if (size != H5T_VARIABLE) {
        type.setStrpad(H5T_STR_NULLPAD);
    }
    return type;
}

std::string_view fit_text(std::string_view text, std::size_t capacity) {
    if (text.size() <= capacity) {
        return text;
    }
    auto size = capacity;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
        --size;
    }
    return text.substr(0, size);
}

void add_text(H5::H5Object& object, const std::string& name, const std::string& value) {
    const auto type = text_type(H5T_VARIABLE);
    object.createAttribute(name, type, H5::DataSpace(H5S_SCALAR)).write(type, value);
}

void add_fixed_text(H5::H5Object& object, const std::string& name, std::size_t capacity, const std::string& value) {
    object.createAttribute(name, text_type(capacity), H5::DataSpace(H5S_SCALAR));
    set_text(object, name, value);
}

void set_text(H5::H5Object& object, const std::string& name, const std::string& value) {
    auto attribute = object.openAttribute(name);
    const auto type = attribute.getStrType();
    std::string padded(fit_text(value, type.getSize()));
    padded.resize(type.getSize(), '\0');
    attribute.write(type, padded.data());
}

std::string read_text(const H5::H5Object& object, const std::string& name) {
    const auto attribute = object.openAttribute(name);
    const auto type = attribute.getStrType();
    if (type.isVariableStr()) {
        std::string value;
        attribute.read(type, value);
        return value;
    }
    std::string value(type.getSize(), '\0');
    attribute.read(type, value.data());
    value.resize(std::min(value.find('\0'), value.size()));
    return value;
}

void add_integer(H5::H5Object& object, const std::string& name, std::uint64_t value) {
    add_scalar(object, name, H5::PredType::NATIVE_UINT64, value);
}

std::uint64_t read_integer(const H5::H5Object& object, const std::string& name) {
    std::uint64_t value = 0;
    object.openAttribute(name).read(H5::PredType::NATIVE_UINT64, &value);
    return value;
}

void add_real(H5::H5Object& object, const std::string& name, double value) {
    add_scalar(object, name, H5::PredType::NATIVE_DOUBLE, value);
}

void add_flag(H5::H5Object& object, const std::string& name, bool value) {
    add_scalar(object, name, flag_type(), static_cast<std::int8_t>(value ? 1 : 0));
}

void set_flag(H5::H5Object& object, const std::string& name, bool value) {
    const auto stored = static_cast<std::int8_t>(value ? 1 : 0);
    object.openAttribute(name).write(flag_type(), &stored);
}

} // namespace gaisnet
