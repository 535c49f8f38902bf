#include "settings/help.hpp"

#include "base/error.hpp"
#include "settings/key.hpp"
#include "settings/sources.hpp"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

struct flag {
    const char* name;
    const char* value;
    const char* help;
};
constexpr flag flags[] = {
    {"config", "FILE", "settings (INI); may be repeated, later files win"},
    {"print-config", "", "print the resolved settings with their sources, and end"},
    {"dry-run", "", "check everything, print topology, placement and forecast, and end"},
    {"log-level", "L", "error, warning, info (default), debug"},
    {"progress", "P", "auto (default), plain, none"},
    {"completion", "SHELL", "a script by which bash or zsh completes all this, and end"},
    {"man-page", "", "the manual page as roff, and end: gaisnet --man-page | man -l -"},
    {"version", "", "versions of program and libraries"},
    {"help", "[TOPIC]",
     "this text; behind a command what matters to it; TOPIC is a key, the beginning of some, or a command"},
};

std::string padded(const std::string& text, std::size_t width) {
    return text + std::string(text.size() < width ? width - text.size() : 1, ' ');
}

std::string joined(const std::vector<std::string>& words, const char* between) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : between) + word;
    }
    return text;
}

/// The condition under which a key has an effect: "with tuning.method = lora".
std::string condition_text(const condition& one) {
    std::vector<std::string> values = one.values;
    std::replace(values.begin(), values.end(), std::string(), std::string("not set"));
    std::replace_if(
        values.begin(), values.end(), [](const std::string& value) { return value.ends_with('('); },
        values.empty() ? std::string() : values.front() + "...)");
    return (one.other_than ? "unless " : "with ") + one.key + " = " + joined(values, " or ");
}

/// Wraps text at spaces and indents every line.
std::string wrapped(const std::string& text, std::size_t indent) {
    constexpr std::size_t width = 100;
    std::string out, line;
    std::stringstream words(text);
    for (std::string next; words >> next;) {
        if (!line.empty() && indent + line.size() + 1 + next.size() > width) {
            out += std::string(indent, ' ') + line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + next;
    }
    return out + std::string(indent, ' ') + line + "\n";
}

/// "; with service = infer": what a command has to be told before it looks at a key.
std::string alternative_text(const key_info& key, const std::string& command) {
    const auto* asked = registry<commands::info>::find(command);
    const auto* other = asked ? asked->other : nullptr;
    const auto its = key.commands & (asked ? asked->may_use() : 0);
    if (!other || (its != asked->set && its != other->set)) {
        return {};
    }
    return std::string("; with ") + other->key + " = " + (its == other->set ? other->value : other->otherwise);
}

std::string key_text(const key_info& key, command_set asking, const std::string& command) {
    std::string text = "  --" + key.name + " ";
    text += key.initial.empty() ? "(not set)" : key.initial + (key.assumed ? " (assumed)" : "");
    const auto accepted = key.words.empty() ? key.accepted : joined(key.words, ", ");
    auto what = key.description + (accepted.empty() ? "" : " [" + accepted + "]");
    for (const auto& one : key.when) {
        if ((one.commands & asking) != 0) {
            what += "; " + condition_text(one);
        }
    }
    return text + "\n" + wrapped(what + alternative_text(key, command), 6);
}

std::string details_of(const key_info& key) {
    std::string text;
    std::istringstream lines(key.details);
    for (std::string line; std::getline(lines, line);) {
        text += wrapped(line, 6);
    }
    return text;
}

std::string section_of(const key_info& key) {
    const auto dot = key.name.find('.');
    return dot == std::string::npos ? "general" : key.name.substr(0, dot);
}

std::string keys_text(command_set asking, const std::string& beginning, const std::string& command) {
    std::vector<std::pair<std::string, std::string>> sections; // in the order of their first keys, "general" last
    std::string general;
    for (const auto& key : all_keys()) {
        const auto its = section_of(key);
        const bool asked =
            beginning.empty() || key.name == beginning || key.name.starts_with(beginning + ".") || its == beginning;
        if (!asked || (key.commands & asking) == 0) {
            continue;
        }
        if (its == "general") {
            general += key_text(key, asking, command) + (key.name == beginning ? details_of(key) : "");
            continue;
        }
        auto found = std::find_if(sections.begin(), sections.end(), [&](const auto& one) { return one.first == its; });
        if (found == sections.end()) {
            found = sections.emplace(sections.end(), its, "\n" + its + "\n");
        }
        found->second += key_text(key, asking, command) + (key.name == beginning ? details_of(key) : "");
    }
    std::string text;
    for (const auto& [name, keys] : sections) {
        text += keys;
    }
    return text + (general.empty() ? "" : "\ngeneral\n" + general);
}

} // namespace

std::string help_text(const std::string& command, const std::string& topic) {
    const auto asking = command.empty() ? commands::all : commands::named(command);
    if (!topic.empty()) {
        const auto text = keys_text(asking, topic, command);
        if (text.empty()) {
            if (!command.empty() && !keys_text(commands::all, topic, "").empty()) {
                throw usage_error("--help " + topic + ": " + command + " does not look at it");
            }
            auto names = key_names();
            for (const auto& key : all_keys()) {
                names.push_back(key.name.substr(0, key.name.rfind('.')));
            }
            const auto guess = nearest(topic, names);
            throw usage_error("--help " + topic + ": no key, section or command is named so" +
                              (guess.empty() ? "; --help lists all" : ", did you mean " + guess + "?"));
        }
        return text.substr(1);
    }
    const auto* asked = registry<commands::info>::find(command);
    std::string text = "usage: gaisnet " + (command.empty() ? "COMMAND" : command) +
                       (asked && asked->operand ? std::string(" ") + asked->operand : "") +
                       " [--config FILE]... [--KEY VALUE]...\n\n" + (command.empty() ? "commands\n" : "");
    for (const auto* one : commands::known()) {
        if (command.empty() || command == one->name) {
            text += "  " + padded(one->name, 11) + one->help + "\n";
        }
    }
    text += "\nflags\n";
    for (const auto& one : flags) {
        text += "  " + padded(std::string("--") + one.name + " " + one.value, 20) + one.help + "\n";
    }
    text += "\nEvery key below is a flag, a line of a config file ([section] key = value) and an environment\n"
            "variable (GAISNET_SECTION_KEY). Command line over environment over files over defaults.\n"
            "Values carry units; where nodes or links draw their own, uniform(LOW, HIGH) UNIT and\n"
            "choice(A, B, ...) UNIT are accepted too. Emulated time is virtual by default: a run goes as\n"
            "fast as the machine can. (assumed) marks defaults that are assumptions of this program.\n";
    text += keys_text(asking, "", command);
    text += "\nexit codes\n  0 ok, 1 failed while running, 2 usage or configuration, 3 fidelity violated,\n"
            "  75 stopped by a signal after a checkpoint (start again with --resume auto), 130 interrupted\n";
    return text;
}

std::string completion_script(const std::string& shell) {
    if (shell != "bash" && shell != "zsh") {
        throw usage_error("--completion " + shell + ": bash and zsh are accepted");
    }
    std::string names, words, cases;
    for (const auto* one : commands::known()) {
        names += std::string(names.empty() ? "" : " ") + one->name;
    }
    for (const auto& one : flags) {
        words += std::string(" --") + one.name;
    }
    std::string files = "--config", sections;
    for (const auto& key : all_keys()) {
        words += " --" + key.name;
        if (!key.words.empty()) {
            cases += "        --" + key.name + ") COMPREPLY=($(compgen -W '" + joined(key.words, " ") +
                     "' -- \"$word\")); return ;;\n";
        } else if (key.kind == value_kind::path || key.kind == value_kind::file) {
            files += "|--" + key.name;
        }
    }
    const std::string body =
        "_gaisnet() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    COMPREPLY=()\n"
        "    case $before in\n" +
        cases +
        "        --log-level) COMPREPLY=($(compgen -W 'error warning info debug' -- \"$word\")); return ;;\n"
        "        --progress) COMPREPLY=($(compgen -W 'auto plain none' -- \"$word\")); return ;;\n"
        "        --completion) COMPREPLY=($(compgen -W 'bash zsh' -- \"$word\")); return ;;\n"
        "        " +
        files +
        ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
        "    esac\n"
        "    if [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W '" +
        words.substr(1) +
        "' -- \"$word\"))\n"
        "    elif [[ $before != --* ]]; then\n"
        "        COMPREPLY=($(compgen -W '" +
        names +
        "' -- \"$word\"))\n"
        "    fi\n"
        "}\n"
        "complete -o default -F _gaisnet gaisnet\n";
    return shell == "bash" ? body : "autoload -U +X bashcompinit && bashcompinit\n" + body;
}

namespace {

/// Text as roff takes it: hyphens that are minus signs, backslashes, and no line that begins as a request does.
std::string roff(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '-' || c == '\\') {
            out += c == '-' ? "\\-" : "\\e";
        } else {
            out += c;
        }
    }
    return out.starts_with(".") || out.starts_with("'") ? "\\&" + out : out;
}

std::string paragraph(const std::string& head, const std::string& text) {
    return ".TP\n.B " + roff(head) + "\n" + roff(text) + "\n";
}

} // namespace

std::string man_page() {
    std::string text = ".TH GAISNET 1 \"\" \"gaisnet\" \"User Commands\"\n"
                       ".SH NAME\ngaisnet \\- emulate hybrid federated split learning over cloud, edges and clients\n"
                       ".SH SYNOPSIS\n.B gaisnet\n.I COMMAND\n[\\-\\-config FILE]... [\\-\\-KEY VALUE]...\n"
                       ".SH COMMANDS\n";
    for (const auto* one : commands::known()) {
        text += paragraph(one->name + (one->operand ? std::string(" ") + one->operand : std::string()), one->help);
    }
    text += ".SH FLAGS\n";
    for (const auto& one : flags) {
        text += paragraph(std::string("--") + one.name + " " + one.value, one.help);
    }
    text +=
        ".SH KEYS\nEvery key is a flag, a line of a config file ([section] key = value) and an environment variable "
        "(GAISNET_SECTION_KEY). Command line over environment over files over defaults. Values behind a key are its "
        "default; (assumed) marks assumptions of this program.\n";
    for (const auto& key : all_keys()) {
        const auto accepted = key.words.empty() ? key.accepted : joined(key.words, ", ");
        text += paragraph("--" + key.name + " " + (key.initial.empty() ? "(not set)" : key.initial) +
                              (key.assumed ? " (assumed)" : ""),
                          key.description + (accepted.empty() ? "" : " [" + accepted + "]"));
    }
    return text + ".SH EXIT STATUS\n" + paragraph("0", "done") + paragraph("1", "failed while running") +
           paragraph("2", "usage, settings, weights or data cannot be used") +
           paragraph("3", "real time was not kept (clock = real with strict_fidelity = on)") +
           paragraph("75", "stopped by a signal after a checkpoint; --resume auto goes on") +
           paragraph("130", "interrupted");
}

} // namespace gaisnet
