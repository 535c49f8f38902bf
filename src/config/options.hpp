#pragma once

#include "metrics/progress.hpp"

#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// A value and where it came from, for messages and --print-config.
struct setting {
    std::string value;
    std::string source; ///< "default", "default (assumed)", "FILE:LINE", "environment NAME", "command line"
};

/// Every key with its value.
using settings = std::map<std::string, setting>;

struct command_line {
    std::vector<std::string> arguments; ///< As they were given, the command among them.
    std::vector<std::string> files;     ///< Of --config
    std::string command;                ///< finetune, plan, ...; empty with --help or --version alone
    settings values;
    bool help = false, version = false, print_config = false, dry_run = false;
    std::string log_level = "info";
    progress_mode progress = progress_mode::automatic;
};

/// Reads command line, environment (GAISNET_SECTION_KEY) and config files; the command line wins over the environment,
/// that over config files (later over earlier), those over defaults.
/// \throws usage_error for unknown or repeated keys, bad files, unknown commands, naming the nearest known name.
command_line parse_command_line(const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment);

/// The process's environment.
std::map<std::string, std::string> process_environment();

/// An INI file that gives the same settings again, each line with its source.
std::string print_config(const settings&);

/// What decides the results of a command's run, as text: equal for runs that a checkpoint may connect.
std::string identity(const settings&, const std::string& command);
/// "train.lr was 0.01 and is 0.1" for the first key in which two identities differ, content of files last; empty if in
/// none.
std::string difference(const std::string& before, const std::string& now);

/// A line for each setting of the command line and the environment that changes nothing. (A config file may be that of
/// another run.)
std::vector<std::string> settings_without_effect(const command_line&);

std::string help_text();

} // namespace gaisnet
