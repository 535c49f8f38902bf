#include "settings/identity.hpp"

#include "base/input_file.hpp"
#include "base/random.hpp"
#include "settings/key.hpp"

#include <iterator>
#include <sstream>

namespace gaisnet {

std::string print_config(const settings& values, const std::function<bool(const key_info&, const setting&)>& wanted) {
    // Keys without a section come first: after a section header they would belong to that section.
    std::string plain, text, section;
    for (const auto& key : all_keys()) {
        const auto& one = values.at(key.name);
        const auto dot = key.name.rfind('.');
        if (one.value.empty() || (wanted && !wanted(key, one))) {
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
    const auto asking = commands::asking(command, [&](const std::string& key) { return values.at(key).value; });
    std::string text = "command = " + command + "\n";
    for (const auto& [name, one] : values) {
        const auto& key = *find_key(name);
        if ((key.commands & asking) != 0 && key.identity && key.kind != value_kind::file) {
            text += name + " = " + one.value + "\n";
        }
    }
    return text;
}

std::string hashes_of_files(const settings& values) {
    std::string text;
    const auto add = [&](const std::string& key, const std::string& path) {
        auto file = open_input(path, key + ": ");
        const std::string content{std::istreambuf_iterator<char>(file), {}};
        std::ostringstream line;
        line << key << ".hash = " << std::hex << stable_hash(content) << '\n';
        text += line.str();
    };
    for (const auto& key : all_keys()) {
        const auto& value = values.at(key.name).value;
        if (key.kind == value_kind::file && !value.empty()) {
            add(key.name, expanded_path(value));
        } else if (key.kind == value_kind::distribution && value.starts_with("file(")) {
            add(key.name, value.substr(5, value.rfind(')') - 5));
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
    const std::string command = "command"; // without it the settings have no meaning
    if (value_in(a, command) != value_in(b, command)) {
        return "it is of " + value_in(a, command) + ", and this is " + value_in(b, command);
    }
    constexpr std::string_view hash = ".hash";
    std::string of_content; // other differences are more informative
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

} // namespace gaisnet
