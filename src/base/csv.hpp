#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A line of a file of comma-separated values. A cell may stand in double quotes, where a doubled one stands for one.
struct csv_line {
    int number = 0; ///< From 1.
    std::vector<std::string> cells;
    std::string where; ///< "FILE:LINE", for messages.
};

/// All lines but empty ones and what follows a #. \throws usage_error when the file cannot be read, or a quote is open at
/// the end of its line.
std::vector<csv_line> read_csv(const std::string& path);

/// Whether all cells are names of columns, in any case: the first line of some files.
bool is_header(const csv_line&, std::initializer_list<std::string_view> columns);

} // namespace gaisnet
