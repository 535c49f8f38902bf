#pragma once

#include <map>
#include <string>

namespace gaisnet {

/// A value and its source, for messages and --print-config.
struct setting {
    std::string value;
    std::string source;      ///< "default", "default (assumed)", "FILE:LINE", "environment NAME", "command line"
    bool is_derived = false; ///< Set by resolve() from other settings.
    bool is_default() const { return source.starts_with("default"); }
};

/// All keys with their values.
using settings = std::map<std::string, setting>;

} // namespace gaisnet
