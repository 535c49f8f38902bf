#pragma once

#include <string>

namespace gaisnet {

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace gaisnet
