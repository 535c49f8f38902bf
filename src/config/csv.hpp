#pragma once

#include <string>
#include <vector>

namespace gaisnet {

/// A line of a file of comma-separated values without quotes.
struct csv_line {
    int number = 0; ///< From 1.
    std::vector<std::string> cells;
    std::string where; ///< "FILE:LINE", for messages.
};

/// \throws usage_error for a folder or a device; what does not exist is left to whoever opens it.
void check_is_file(const std::string& path);

/// All lines but empty ones and what follows a #. \throws usage_error when the file cannot be read.
std::vector<csv_line> read_csv(const std::string& path);

} // namespace gaisnet
