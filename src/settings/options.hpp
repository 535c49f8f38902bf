#pragma once

#include "settings/configuration.hpp"

#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// The command is empty with --help, --version or --completion alone.
struct command_line : configuration {
    std::vector<std::string> arguments; ///< As they were given, the command among them.
    bool help = false, version = false, print_config = false;
    std::string topic;      ///< Of --help: a key, a section or a command; empty: all.
    std::string completion; ///< Of --completion: bash or zsh.
    std::string log_level = "info";
};

/// Reads command line, environment (GAISNET_SECTION_KEY) and config files; the command line wins over the environment,
/// that over config files (later over earlier), those over defaults.
/// \throws usage_error for unknown or repeated keys, bad files, unknown commands, naming the nearest known name.
command_line parse_command_line(const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment);

/// A line for each setting of the command line and the environment that changes nothing. (A config file may be that of
/// another run.)
std::vector<std::string> settings_without_effect(const command_line&);

} // namespace gaisnet
