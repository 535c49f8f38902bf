#pragma once

#include "settings/values.hpp"

#include <string>

namespace gaisnet {

/// An INI file that gives the same settings again, each line with its source.
std::string print_config(const settings&);

/// What decides the results of a command's run, as text: equal for runs that a checkpoint may connect.
std::string identity(const settings&, const std::string& command);
/// "KEY.hash = ..." a line for each file of settings that is named (network, movements, traces, distributions): for the
/// identity of a run, in place of their paths. \throws usage_error when one cannot be read.
std::string hashes_of_files(const settings&);
/// "train.lr was 0.01 and is 0.1" for the first key in which two identities differ, content of files last; empty if in
/// none.
std::string difference(const std::string& before, const std::string& now);

} // namespace gaisnet
