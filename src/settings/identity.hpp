#pragma once

#include "settings/values.hpp"

#include <functional>
#include <string>

namespace gaisnet {

struct key_info;

/// An INI file with these settings, each line with its source.
/// \param wanted keys that are written; not set: all.
std::string print_config(const settings&, const std::function<bool(const key_info&, const setting&)>& wanted = {});

/// All settings that decide the results of a command's run, as text: equal for runs that may share a checkpoint.
std::string identity(const settings&, const std::string& command);
/// One line "KEY.hash = ..." for each file that the settings name (network, movements, traces, distributions); replaces
/// their paths in the identity of a run. \throws usage_error when a file cannot be read.
std::string hashes_of_files(const settings&);
/// "train.lr was 0.01 and is 0.1" for the first key that differs between two identities, hashes of files last; empty if
/// they are equal.
std::string difference(const std::string& before, const std::string& now);

} // namespace gaisnet
