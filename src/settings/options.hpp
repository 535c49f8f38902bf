#pragma once

#include "settings/configuration.hpp"

#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// The command line with its configuration. The command is empty if only --help, --version, --man-page or
/// --completion is given.
struct command_line : configuration {
    std::vector<std::string> arguments; ///< All arguments as given, including the command.
    bool help = false, version = false, print_config = false, man_page = false;
    std::string topic;      ///< Topic of --help: a key, a section or a command; empty: everything.
    std::string completion; ///< Shell of --completion: bash or zsh.
    std::string log_level = "info";
    std::string operand; ///< What stands behind the command, where it takes something (commands::info).
};

/// Reads command line, environment (GAISNET_SECTION_KEY) and config files. The command line overrides the environment,
/// which overrides config files (later ones override earlier ones), which override defaults. \throws usage_error for
/// unknown or repeated keys, bad files and unknown commands; suggests the nearest name.
command_line parse_command_line(const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment);

/// One line for each setting of the command line and the environment that has no effect. (Config files are not checked:
/// they may belong to another run.)
std::vector<std::string> settings_without_effect(const command_line&);

} // namespace gaisnet
