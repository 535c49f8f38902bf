#include "settings/sources.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"
#include "settings/key.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <unistd.h> // environ, a GNU extension that g++ and Clang ask for

namespace gaisnet {

namespace {

/// Environment variables of jobs/mpirun.sh, slurm/run.sbatch and the tests; they are not settings.
const std::set<std::string> of_scripts{"GAISNET_MPIRUN_OPTIONS", "GAISNET_SITE",       "GAISNET_ROOT",
                                       "GAISNET_PROGRAM",        "GAISNET_IMAGE",      "GAISNET_LAUNCHER",
                                       "GAISNET_DATA",           "GAISNET_READY",      "GAISNET_WHEEL",
                                       "GAISNET_MPI_LIMIT",      "GAISNET_TOKENIZERS", "GAISNET_TOKENIZER_FILES"};

/// A line without its comment and trimmed. Rejects a # inside a word, which is ambiguous.
std::string content_of(const std::string& line, const std::string& where) {
    const auto comment = line.find('#');
    if (comment != std::string::npos && comment > 0 && line[comment - 1] != ' ' && line[comment - 1] != '\t') {
        throw usage_error(where + ": a # begins a comment, and here it stands inside a value: put a blank before it, "
                                  "or give the value as a flag or in the environment");
    }
    return std::string(trimmed(line.substr(0, comment)));
}

} // namespace

settings default_settings() {
    settings values;
    for (const auto& key : all_keys()) {
        values[key.name] = {key.initial, key.assumed ? "default (assumed)" : "default"};
    }
    return values;
}

void read_config_file(const std::string& path, settings& values) {
    auto in = open_input(path, "--config ");
    std::map<std::string, int> lines; // line of each key that was given
    std::string line, section;
    for (int number = 1; std::getline(in, line); ++number) {
        const auto where = path + ":" + std::to_string(number);
        const auto text = content_of(line, where);
        if (text.empty()) {
            continue;
        }
        if (text.front() == '[') {
            if (text.back() != ']') {
                throw usage_error(where + ": \"" + text + "\": [section] is accepted");
            }
            section = std::string(trimmed(text.substr(1, text.size() - 2))) + ".";
            continue;
        }
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw usage_error(where + ": \"" + text + "\": key = value, or [section], is accepted");
        }
        const auto key = section + std::string(trimmed(text.substr(0, equals)));
        if (!find_key(key)) {
            const auto guess = nearest(key, key_names());
            const auto alone = key.substr(key.find('.') + 1); // the keys that --help lists under [general]
            const bool has_none = find_key(alone) && alone.find('.') == std::string::npos;
            throw usage_error(where + ": unknown key " + key +
                              (has_none        ? ": " + alone + " belongs to no section, and stands before the first"
                               : guess.empty() ? "; --help lists all"
                                               : ", did you mean " + guess + "?"));
        }
        if (const auto [before, is_new] = lines.emplace(key, number); !is_new) {
            throw usage_error(where + ": " + key + " stands here again; it was given at line " +
                              std::to_string(before->second) + " already");
        }
        values[key] = {std::string(trimmed(text.substr(equals + 1))), where};
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
        values[found->second] = {value, "environment " + name};
    }
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

std::string nearest(const std::string& word, const std::vector<std::string>& names) {
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

} // namespace gaisnet
