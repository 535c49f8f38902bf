#include "config/options.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"
#include "config/keys.hpp"
#include "config/scenario_reader.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <set>
#include <sstream>

extern char** environ;

namespace gaisnet {

namespace {

namespace po = boost::program_options;

const char* const commands[] = {"finetune", "infer", "serve", "plan", "pretrain", "calibrate"};
/// Flags that are no keys of a scenario, in the spelling of keys.
const char* const switches[] = {"help", "version", "print_config", "dry_run"};
const char* const general[] = {"config", "log_level", "progress"};

/// Environment variables that belong to jobs/mpirun.sh, slurm/run.sbatch and the tests, and name no setting.
const std::set<std::string> of_scripts{"GAISNET_MPIRUN_OPTIONS", "GAISNET_SITE",     "GAISNET_ROOT", "GAISNET_PROGRAM",
                                       "GAISNET_IMAGE",          "GAISNET_LAUNCHER", "GAISNET_DATA", "GAISNET_READY",
                                       "GAISNET_WHEEL",          "GAISNET_MPI_LIMIT"};

/// What changes how a run is carried out, but not its results.
const std::set<std::string> not_in_identity{"output",
                                            "cache",
                                            "overwrite",
                                            "resume",
                                            "placement",
                                            "runtime.active_clusters",
                                            "runtime.silence",
                                            "checkpoint.every",
                                            "checkpoint.keep",
                                            "checkpoint.part",
                                            "infer.modules",
                                            "infer.images",
                                            "model.cache",
                                            "events",
                                            "model.weights",
                                            "data.root",
                                            "data.threads",
                                            "data.cache",
                                            "pretrain.root",
                                            "device",
                                            "nccl_share_gpu",
                                            "job.nodes",
                                            "job.ranks",
                                            "job.gpus_per_node",
                                            "job.time",
                                            "clock",
                                            "time_scale",
                                            "strict_fidelity",
                                            "fidelity.tolerance"};

template <typename List>
std::string nearest(const std::string& word, const List& names) {
    std::string best;
    std::size_t least = std::max<std::size_t>(3, word.size() / 3);
    for (const auto& name : names) {
        const auto distance = edit_distance(word, name);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}

std::vector<std::string> key_names() {
    std::vector<std::string> names;
    for (const auto& key : all_keys()) {
        names.push_back(key.name);
    }
    return names;
}

[[noreturn]] void unknown_key(const std::string& name, const std::string& value, const std::string& where, bool flag) {
    if (const auto text = not_built(name, value); !text.empty()) {
        throw usage_error(where + ": " + text);
    }
    auto names = key_names();
    if (flag) {
        names.insert(names.end(), std::begin(switches), std::end(switches));
        names.insert(names.end(), std::begin(general), std::end(general));
    }
    const auto guess = nearest(name, names);
    const std::string dashes = flag ? "--" : "";
    throw usage_error(where + ": unknown " + (flag ? "flag --" : "key ") + name +
                      (guess.empty() ? "; --help lists all" : ", did you mean " + dashes + guess + "?"));
}

po::options_description key_descriptions() {
    po::options_description all;
    for (const auto& key : all_keys()) {
        all.add_options()(key.name.c_str(), po::value<std::vector<std::string>>()->composing());
    }
    return all;
}

/// Takes one value over after a first check.
void take(settings& values, const std::string& key, const std::string& value, const std::string& source) {
    if (const auto text = not_built(key, value); !text.empty()) {
        throw usage_error(source + ": " + text);
    }
    values[key] = {value, source};
}

/// Lines of the keys of an INI file, because the parser does not tell them.
std::map<std::string, std::vector<int>> lines_of_keys(const std::string& path) {
    auto in = open_input(path, "--config ");
    std::map<std::string, std::vector<int>> lines;
    std::string line, section;
    for (int number = 1; std::getline(in, line); ++number) {
        const auto comment = line.find('#');
        if (comment != std::string::npos && comment > 0 && line[comment - 1] != ' ' && line[comment - 1] != '\t') {
            throw usage_error(
                path + ":" + std::to_string(number) +
                ": a # begins a comment, and here it stands inside a value: put a blank before it, or give "
                "the value as a flag or in the environment");
        }
        line = line.substr(0, comment);
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string::npos) {
            continue;
        }
        const auto equals = line.find('=');
        if (line[first] == '[') {
            section = line.substr(first + 1, line.find(']') - first - 1) + ".";
        } else if (equals != std::string::npos) {
            auto name = line.substr(first, equals - first);
            name.erase(name.find_last_not_of(" \t") + 1);
            lines[section + name].push_back(number);
        }
    }
    return lines;
}

void read_config_file(const std::string& path, settings& values) {
    auto in = open_input(path, "--config ");
    const auto lines = lines_of_keys(path);
    const auto where = [&](const std::string& key, std::size_t which = 0) {
        const auto found = lines.find(key);
        return found == lines.end() ? path : path + ":" + std::to_string(found->second[which]);
    };
    for (const auto& [key, numbers] : lines) {
        if (numbers.size() > 1) {
            throw usage_error(where(key, 1) + ": " + key + " stands here again; it was given at line " +
                              std::to_string(numbers[0]) + " already");
        }
    }
    try {
        for (const auto& option : po::parse_config_file(in, key_descriptions(), true).options) {
            const auto value = option.value.empty() ? std::string() : option.value.front();
            if (option.unregistered) {
                unknown_key(option.string_key, value, where(option.string_key), false);
            }
            take(values, option.string_key, value, where(option.string_key));
        }
    } catch (const po::error& problem) {
        throw usage_error(path + ": " + problem.what());
    }
}

std::string variable_name(const std::string& key) {
    std::string name = "GAISNET_";
    for (const char letter : key) {
        name += letter == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    }
    return name;
}

void read_environment(const std::map<std::string, std::string>& environment, settings& values) {
    std::map<std::string, std::string> keys;
    for (const auto& key : all_keys()) {
        keys[variable_name(key.name)] = key.name;
    }
    for (const auto& [name, value] : environment) {
        if (!name.starts_with("GAISNET_") || of_scripts.contains(name)) {
            continue;
        }
        const auto found = keys.find(name);
        if (found == keys.end()) {
            std::vector<std::string> names;
            for (const auto& [variable, key] : keys) {
                names.push_back(variable);
            }
            const auto guess = nearest(name, names);
            throw usage_error("environment: unknown variable " + name +
                              (guess.empty() ? "" : ", did you mean " + guess + "?"));
        }
        take(values, found->second, value, "environment " + name);
    }
}

/// "--dry-run" and "--dry_run" are the same; values keep their hyphens.
/// What other programs call the same is understood.
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
    if (!out.command.empty()) {
        throw usage_error("command line: \"" + word + "\" is too much behind " + out.command + "; flags start with --");
    }
    if (std::find(std::begin(commands), std::end(commands), word) == std::end(commands)) {
        const auto guess = nearest(word, commands);
        throw usage_error("command line: unknown command " + word +
                          (guess.empty() ? "; accepted: finetune, infer, serve, plan, pretrain, calibrate"
                                         : ", did you mean " + guess + "?"));
    }
    out.command = word;
}

std::vector<std::string> words_of(const std::string& accepted) {
    std::vector<std::string> words;
    std::stringstream in(accepted);
    for (std::string word; std::getline(in, word, '|');) {
        words.push_back(word);
    }
    return words;
}

} // namespace

command_line parse_command_line(const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment) {
    command_line out;
    out.arguments = arguments;
    for (const auto& key : all_keys()) {
        out.values[key.name] = {key.initial, key.assumed ? "default (assumed)" : "default"};
    }
    std::vector<std::string> normal;
    for (const auto& argument : arguments) {
        const bool is_value = !normal.empty() && normal.back().starts_with("--") &&
                              normal.back().find('=') == std::string::npos; // of --output help
        normal.push_back(is_value && !argument.starts_with("-") ? argument : normalised(argument));
    }
    auto descriptions = key_descriptions();
    for (const auto* name : switches) {
        descriptions.add_options()(name, po::bool_switch());
    }
    for (const auto* name : general) {
        descriptions.add_options()(name, po::value<std::vector<std::string>>()->composing());
    }
    std::vector<po::option> options;
    try {
        const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
        options = po::command_line_parser(normal).options(descriptions).style(style).allow_unregistered().run().options;
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
            unknown_key(name, value, "command line", true);
        } else if (option.string_key == "help") {
            out.help = true;
        } else if (option.string_key == "version") {
            out.version = true;
        } else if (option.string_key == "print_config") {
            out.print_config = true;
        } else if (option.string_key == "dry_run") {
            out.dry_run = true;
        } else if (option.string_key == "config") {
            out.files.push_back(value);
        } else if (option.string_key == "log_level") {
            const std::set<std::string> levels{"error", "warning", "info", "debug"};
            if (!levels.contains(value)) {
                throw usage_error("--log-level " + value + ": accepted are error, warning, info, debug");
            }
            out.log_level = value;
        } else if (option.string_key == "progress") {
            out.progress = parse_progress_mode(value);
        } else {
            flags.emplace_back(option.string_key, value);
        }
    }
    if (out.help || out.version) {
        return out;
    }
    if (out.command.empty()) {
        throw usage_error(
            "command line: a command is missing; accepted: finetune, infer, serve, plan, pretrain, calibrate "
            "(--help tells more)");
    }
    for (const auto& file : out.files) {
        read_config_file(file, out.values);
    }
    read_environment(environment, out.values);
    for (const auto& [key, value] : flags) {
        take(out.values, key, value, "command line");
    }
    out.values = resolve(std::move(out.values));
    return out;
}

std::map<std::string, std::string> process_environment() {
    std::map<std::string, std::string> all;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string::npos) {
            all[text.substr(0, equals)] = text.substr(equals + 1);
        }
    }
    return all;
}

std::string print_config(const settings& values) {
    // Keys without a section come first: behind a section they would belong to it.
    std::string plain, text, section;
    for (const auto& key : all_keys()) {
        const auto& one = values.at(key.name);
        const auto dot = key.name.rfind('.');
        if (one.value.empty()) {
            continue; // not set
        }
        const auto line = [&](const std::string& name) {
            const bool fits = one.value.find('#') == std::string::npos;
            return "# " + one.source + "\n" + (fits ? "" : "# a # cannot stand in a file, give it as a flag: ") + name +
                   " = " + one.value + "\n";
        };
        if (dot == std::string::npos) {
            plain += line(key.name);
            continue;
        }
        if (key.name.substr(0, dot) != section) {
            section = key.name.substr(0, dot);
            text += "\n[" + section + "]\n";
        }
        text += line(key.name.substr(dot + 1));
    }
    return plain + text;
}

std::string identity(const settings& values, const std::string& command) {
    std::string text = "command = " + command + "\n";
    for (const auto& [key, one] : values) {
        if (concerns(key, command) && !not_in_identity.contains(key) && !names_settings_file(key)) {
            text += key + " = " + one.value + "\n";
        }
    }
    return text;
}

std::string difference(const std::string& before, const std::string& now) {
    const auto lines = [](const std::string& text) {
        std::map<std::string, std::string> map;
        std::stringstream in(text);
        for (std::string line; std::getline(in, line);) {
            const auto equals = line.find(" = ");
            map[line.substr(0, equals)] = equals == std::string::npos ? "" : line.substr(equals + 3);
        }
        return map;
    };
    const auto a = lines(before), b = lines(now);
    const auto value_in = [](const auto& side, const std::string& key) {
        const auto found = side.find(key);
        return found == side.end() ? std::string("unknown") : found->second;
    };
    const std::string command = "command"; // without it the settings say nothing
    if (value_in(a, command) != value_in(b, command)) {
        return "it is of " + value_in(a, command) + ", and this is " + value_in(b, command);
    }
    constexpr std::string_view hash = ".hash";
    std::string of_content; // what else differs says more
    for (const auto& [key, value] : b) {
        if (a.contains(key) && value_in(a, key) == value) {
            continue;
        }
        if (!key.ends_with(hash)) {
            return key + " was " + value_in(a, key) + " and is " + value;
        }
        const auto what = key.substr(0, key.size() - hash.size());
        of_content = a.contains(key) ? "the content of " + what + " has changed" : what + " was not set and is now";
    }
    if (!of_content.empty()) {
        return of_content;
    }
    for (const auto& [key, value] : a) {
        if (!b.contains(key)) {
            return key.ends_with(hash) ? key.substr(0, key.size() - hash.size()) + " was set and is not now"
                                       : key + " was " + value + ", and this version does not know it";
        }
    }
    return {};
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

std::string help_text() {
    std::string text = "usage: gaisnet COMMAND [--config FILE]... [--KEY VALUE]...\n\n"
                       "commands\n"
                       "  finetune   hybrid federated split fine-tuning over emulated links and devices\n"
                       "  infer      requests answered by chains of clients, with what was tuned\n"
                       "  serve      rounds in which a policy chooses between fine-tuning a model and using it\n"
                       "  plan       what finetune would cost in time, energy, bytes and spectrum, without training\n"
                       "  calibrate  the speed of this computer and its ranks' link, as settings\n"
                       "  pretrain   a foundation model from procedural images or a folder, with labels or without\n\n"
                       "flags\n"
                       "  --config FILE     settings (INI); may be repeated, later files win\n"
                       "  --print-config    print the resolved settings with their sources, and end\n"
                       "  --dry-run         check everything, print topology, placement and forecast, and end\n"
                       "  --log-level L     error, warning, info (default), debug\n"
                       "  --progress P      auto (default), plain, none\n"
                       "  --version         versions of program and libraries\n"
                       "  --help            this text\n\n"
                       "Every key below is a flag, a line of a config file ([section] key = value) and an environment\n"
                       "variable (GAISNET_SECTION_KEY). Command line over environment over files over defaults.\n"
                       "Values carry units; where nodes or links draw their own, uniform(LOW, HIGH) UNIT and\n"
                       "choice(A, B, ...) UNIT are accepted too. Emulated time is virtual by default: a run goes as\n"
                       "fast as the machine can. (assumed) marks defaults that are assumptions of this program.\n";
    std::string section = "?";
    for (const auto& key : all_keys()) {
        const auto dot = key.name.find('.');
        const auto its = dot == std::string::npos ? "general" : key.name.substr(0, dot);
        if (its != section) {
            section = its;
            text += "\n" + section + "\n";
        }
        std::string line = "  --" + key.name + " ";
        line += key.initial.empty() ? "(not set)" : key.initial + (key.assumed ? " (assumed)" : "");
        text += line + "\n      " + key.description;
        if (key.kind == value_kind::choice || key.kind == value_kind::onoff) {
            std::string words;
            for (const auto& word : words_of(key.accepted)) {
                words += (words.empty() ? "" : ", ") + word;
            }
            text += " [" + words + "]";
        } else if (!key.accepted.empty()) {
            text += " [" + key.accepted + "]";
        }
        text += "\n";
    }
    text += "\nexit codes\n  0 ok, 1 failed while running, 2 usage or configuration, 3 fidelity violated,\n"
            "  75 stopped by a signal after a checkpoint (start again with --resume auto), 130 interrupted\n";
    return text;
}

} // namespace gaisnet
