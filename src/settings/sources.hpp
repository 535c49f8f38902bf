#pragma once

#include "settings/values.hpp"

#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// Every key with its default.
settings default_settings();

/// Reads a config file: lines `key = value` and `[section]`, comments after #. \throws usage_error for unknown or
/// repeated keys, naming file, line and the nearest key.
void read_config_file(const std::string& path, settings&);

/// Reads the environment variables GAISNET_SECTION_KEY. \throws usage_error for unknown ones.
void read_environment(const std::map<std::string, std::string>& environment, settings&);

/// GAISNET_TRAIN_LR for train.lr.
std::string variable_name(const std::string& key);

/// The process's environment.
std::map<std::string, std::string> process_environment();

/// The nearest name; empty when none is similar.
std::string nearest(const std::string& word, const std::vector<std::string>& names);
std::vector<std::string> key_names();

} // namespace gaisnet
