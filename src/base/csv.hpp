#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// One line of a CSV file. A cell may be quoted; a doubled quote inside it stands for one quote.
struct csv_line {
    int number = 0; ///< From 1.
    std::vector<std::string> cells;
    std::string where; ///< "FILE:LINE", for messages.
};

/// All lines except empty ones, without comments (# to the end of the line). \throws usage_error when the file cannot
/// be read, or when a quote is still open at the end of a line.
std::vector<csv_line> read_csv(const std::string& path);

/// Whether all cells are column names, in upper or lower case: some files begin with such a line.
bool is_header(const csv_line&, std::initializer_list<std::string_view> columns);

} // namespace gaisnet
