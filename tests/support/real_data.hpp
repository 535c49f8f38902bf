#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace gaisnet {

/// A file or folder of real images and weights: `name` in $GAISNET_DATA, else in the folder shared/data beside the
/// project. Nothing where it is not there: the test then says so and skips.
inline std::optional<std::filesystem::path> real_data(const char* name) {
    const char* given = std::getenv("GAISNET_DATA");
    const auto project = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
    const auto path = (given ? std::filesystem::path(given) : project.parent_path() / "shared" / "data") / name;
    return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
}

} // namespace gaisnet
