#pragma once

#include <map>
#include <string>

namespace gaisnet {

/// A value and where it came from, for messages and --print-config.
struct setting {
    std::string value;
    std::string source;      ///< "default", "default (assumed)", "FILE:LINE", "environment NAME", "command line"
    bool is_derived = false; ///< By resolve(), from settings that were given.
    bool is_default() const { return source.starts_with("default"); }
};

/// Every key with its value.
using settings = std::map<std::string, setting>;

} // namespace gaisnet
