#pragma once

#include <fstream>
#include <string>

namespace gaisnet {

/// Opens a file that a user names, past a byte order mark of UTF-8. \throws usage_error naming it, when it is no regular
/// file (reading a pipe might never end), cannot be read, is empty, or is UTF-16. \param what stands before the path in
/// messages, for example "--config ".
std::ifstream open_input(const std::string& path, const std::string& what = "");

} // namespace gaisnet
