#pragma once

#include <fstream>
#include <string>

namespace gaisnet {

/// Opens a file that the user names and skips a UTF-8 byte order mark. \throws usage_error naming the file when it is
/// not a regular file (reading a pipe might never end), cannot be read, is empty, or is UTF-16. \param what text before
/// the path in messages, for example "--config ".
std::ifstream open_input(const std::string& path, const std::string& what = "");

} // namespace gaisnet
