#include "base/input_file.hpp"

#include "base/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace gaisnet {

namespace fs = std::filesystem;

namespace {

/// What a path that is not a regular file is, in words.
const char* kind_of(fs::file_type type) {
    switch (type) {
    case fs::file_type::directory: return "a folder";
    case fs::file_type::fifo: return "a pipe";
    case fs::file_type::socket: return "a socket";
    default: return "a device";
    }
}

} // namespace

std::ifstream open_input(const std::string& path, const std::string& what) {
    std::error_code code;
    const auto status = fs::status(path, code);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        throw usage_error(what + path + " is not a file but " + kind_of(status.type()));
    }
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw usage_error(what + path + " cannot be read: " + std::strerror(errno));
    }
    std::array<char, 3> head{};
    in.read(head.data(), head.size());
    const std::string_view start(head.data(), static_cast<std::size_t>(in.gcount()));
    if (start.empty()) {
        throw usage_error(what + path + " is empty");
    }
    if (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff")) {
        throw usage_error(what + path + " is UTF-16; UTF-8 is accepted");
    }
    in.clear();
    in.seekg(start == "\xef\xbb\xbf" ? 3 : 0);
    return in;
}

} // namespace gaisnet
