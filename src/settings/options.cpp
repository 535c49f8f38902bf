#include "settings/options.hpp"

#include "base/error.hpp"
#include "settings/key.hpp"
#include "settings/sources.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <set>

namespace gaisnet {

namespace {

namespace po = boost::program_options;

/// Flags that are not keys of a scenario, in the spelling of keys.
const char* const switches[] = {"version", "print_config", "dry_run", "man_page"};
const char* const general[] = {"config", "log_level", "progress", "completion"};

[[noreturn]] void unknown_flag(const std::string& name) {
    auto names = key_names();
    names.insert(names.end(), std::begin(switches), std::end(switches));
    names.insert(names.end(), std::begin(general), std::end(general));
    names.emplace_back("help");
    const auto guess = nearest(name, names);
    throw usage_error("command line: unknown flag --" + name +
                      (guess.empty() ? "; --help lists all" : ", did you mean --" + guess + "?"));
}

/// Normalises a flag: "--dry-run" and "--dry_run" are the same; values keep their hyphens. Common spellings of other
/// programs are accepted.
std::string normalised(const std::string& argument) {
    if (argument == "-h" || argument == "-?" || argument == "help") {
        return "--help";
    }
    if (argument == "-V" || argument == "version") {
        return "--version";
    }
    if (!argument.starts_with("--")) {
        return argument;
    }
    auto text = argument;
    const auto end = std::min(text.find('='), text.size());
    std::replace(text.begin() + 2, text.begin() + static_cast<std::ptrdiff_t>(end), '-', '_');
    return text;
}

void set_command(command_line& out, const std::string& word) {
    if (!out.command.empty() && out.operand.empty() && registry<commands::info>::at(out.command, "command").operand) {
        out.operand = word;
        return;
    }
    if (!out.command.empty()) {
        throw usage_error("command line: \"" + word + "\" is too much behind " + out.command + "; flags start with --");
    }
    std::vector<std::string> names;
    for (const auto* one : commands::known()) {
        names.emplace_back(one->name);
    }
    if (std::find(names.begin(), names.end(), word) == names.end()) {
        const auto guess = nearest(word, names);
        throw usage_error("command line: unknown command " + word +
                          (guess.empty() ? "; accepted: " + commands::listed() : ", did you mean " + guess + "?"));
    }
    out.command = word;
}

po::options_description descriptions() {
    po::options_description all;
    for (const auto& key : all_keys()) {
        all.add_options()(key.name.c_str(), po::value<std::vector<std::string>>()->composing());
    }
    for (const auto* name : switches) {
        all.add_options()(name, po::bool_switch());
    }
    for (const auto* name : general) {
        all.add_options()(name, po::value<std::vector<std::string>>()->composing());
    }
    return all;
}

/// Handles one of the program's own flags. \returns false for a key.
bool take_general(command_line& out, const std::string& name, const std::string& value) {
    if (name == "version") {
        out.version = true;
    } else if (name == "man_page") {
        out.man_page = true;
    } else if (name == "print_config") {
        out.print_config = true;
    } else if (name == "dry_run") {
        out.dry_run = true;
    } else if (name == "config") {
        out.files.push_back(value);
    } else if (name == "completion") {
        out.completion = value;
    } else if (name == "log_level") {
        const std::set<std::string> levels{"error", "warning", "info", "debug"};
        if (!levels.contains(value)) {
            throw usage_error("--log-level " + value + ": accepted are error, warning, info, debug");
        }
        out.log_level = value;
    } else if (name == "progress") {
        out.progress = parse_progress_mode(value);
    } else {
        return false;
    }
    return true;
}

} // namespace

command_line parse_command_line(const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment) {
    command_line out;
    out.command.clear();
    out.progress = progress_mode::automatic;
    out.arguments = arguments;
    std::vector<std::string> normal;
    for (const auto& argument : arguments) {
        const bool is_value = !normal.empty() && normal.back().starts_with("--") &&
                              normal.back().find('=') == std::string::npos; // the next argument is its value
        const auto word = is_value && !argument.starts_with("-") ? argument : normalised(argument);
        if (out.help && !word.starts_with("--")) {
            (commands::is_known(word) && out.command.empty() ? out.command : out.topic) = word;
        } else if (word == "--help" || word.starts_with("--help=")) {
            out.help = true;
            out.topic = word.substr(std::min(word.size(), std::string("--help=").size()));
        } else {
            normal.push_back(word);
        }
    }
    std::vector<po::option> options;
    const auto known = descriptions();
    try {
        const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
        options = po::command_line_parser(normal).options(known).style(style).allow_unregistered().run().options;
    } catch (const po::error& problem) {
        throw usage_error(std::string("command line: ") + problem.what());
    }
    std::vector<std::pair<std::string, std::string>> flags;
    for (const auto& option : options) {
        const auto value = option.value.empty() ? std::string() : option.value.front();
        if (option.position_key >= 0) {
            set_command(out, value);
        } else if (option.unregistered) {
            auto name = option.string_key;
            name.erase(0, name.find_first_not_of('-'));
            unknown_flag(name);
        } else if (!take_general(out, option.string_key, value)) {
            flags.emplace_back(option.string_key, value);
        }
    }
    if (out.help || out.version || out.man_page || !out.completion.empty()) {
        return out;
    }
    if (out.command.empty()) {
        throw usage_error("command line: a command is missing; accepted: " + commands::listed() +
                          " (--help tells more)");
    }
    if (const auto* operand = registry<commands::info>::at(out.command, "command").operand;
        operand && out.operand.empty()) {
        throw usage_error("command line: gaisnet " + out.command + " " + operand + ": " + operand + " is missing");
    }
    out.values = default_settings();
    for (const auto& file : out.files) {
        read_config_file(file, out.values);
    }
    read_environment(environment, out.values);
    for (const auto& [key, value] : flags) {
        out.values[key] = {value, "command line"};
    }
    out.values = resolve(std::move(out.values));
    return out;
}

std::vector<std::string> settings_without_effect(const command_line& given) {
    std::vector<std::string> idle;
    for (const auto& [key, setting] : given.values) {
        const bool given_now = setting.source == "command line" || setting.source.starts_with("environment");
        const auto reason = given_now
                                ? without_effect(key, given.command,
                                                 [&](const std::string& other) { return given.values.at(other).value; })
                                : std::string();
        if (!reason.empty()) {
            idle.push_back(setting.source + ": " + key + " = " + setting.value + " has no effect: " + reason);
        }
    }
    return idle;
}

} // namespace gaisnet
