#pragma once

// A key is declared once: the member of a section's struct that holds its value.
//
//     struct training_settings {
//         static constexpr section key{"train", commands::training};
//         int rounds = key.count("rounds", "3", "rounds at most", at_least(1));
//         double momentum = key.real("momentum", "0.9", "momentum", within(0, 1), {.when = {with("train.optimizer", {"sgd"})}});
//     };
//
// Name, default, range, help, relevance and identity follow from that statement, and --help, --print-config, environment
// variables and shell completion from those. A section that is made while settings are read (`reading`) takes its values
// from them, else it has the defaults.

#include "base/distribution.hpp"
#include "base/error.hpp"
#include "base/registry.hpp"
#include "base/words.hpp"
#include "settings/commands.hpp"
#include "settings/quantity.hpp"
#include "settings/values.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

/// A default; `assumed` marks one that is an assumption of ours, and shown as such.
struct initial_value {
    std::string text; ///< Empty: not set.
    bool is_assumed = false;
    initial_value(const char* words): text(words) {}            // NOLINT(google-explicit-constructor)
    initial_value(std::string words): text(std::move(words)) {} // NOLINT(google-explicit-constructor)
};
inline initial_value assumed(initial_value value) {
    value.is_assumed = true;
    return value;
}

/// What numbers are accepted.
struct range {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool above_least = false;   ///< The least itself is not accepted,
    bool below_most = false;    ///< nor the most.
    bool without_tails = false; ///< A normal distribution's draws above the most are cut off when they are drawn.
    std::string words{};        ///< "1 cm to 10000 km"; empty: told by the numbers.
    bool has(double lowest, double highest) const {
        return lowest >= least && highest <= most && !(above_least && lowest == least) &&
               !(below_most && highest == most);
    }
    /// "a number above 0 and at most 1". \param what "a number"
    std::string described(const std::string& what) const;
};
inline range any() { return {}; }
inline range at_least(double least) { return {.least = least}; }
inline range above(double least) { return {.least = least, .above_least = true}; }
inline range within(double least, double most, std::string words = {}) {
    return {.least = least, .most = most, .words = std::move(words)};
}
inline range above_to(double least, double most, std::string words = {}) {
    return {.least = least, .most = most, .above_least = true, .words = std::move(words)};
}

/// A key matters only with some values of another one.
struct condition {
    std::string key;
    std::vector<std::string> values; ///< Or their beginnings; "": not set.
    bool other_than = false;         ///< All values but these.
    command_set commands = commands::all;
    condition for_commands(command_set some) const {
        auto out = *this;
        out.commands = some;
        return out;
    }
};
inline condition with(std::string key, std::vector<std::string> values) { return {std::move(key), std::move(values)}; }
inline condition unless(std::string key, std::vector<std::string> values) {
    return {std::move(key), std::move(values), true};
}

/// What a key has that few others have.
struct key_traits {
    std::optional<command_set> commands{}; ///< Those that look at it; absent: its section's.
    std::vector<condition> when{};         ///< All of them hold, or it has no effect.
    bool identity = true;                  ///< Its value decides the results of a run.
};

enum class value_kind { text, integer, real, onoff, quantity, distribution, choice, list, path, file };

/// One key of a scenario. The same name is a flag (--link.d2d.rate), a key of a config file and, in capitals with
/// GAISNET_ before it, an environment variable.
struct key_info {
    std::string name;
    value_kind kind = value_kind::text;
    dimension unit = dimension::number;
    std::string initial; ///< Default; may be empty: not set.
    std::string description;
    std::string accepted{};           ///< What the help shows behind the description.
    std::vector<std::string> words{}; ///< choice, onoff: those accepted.
    bool assumed = false;             ///< The default is an assumption of ours, shown as such.
    command_set commands = commands::all;
    std::vector<condition> when{};
    bool identity = true;
};

/// Keys that begin alike, and the commands that look at them.
class section {
public:
    /// \param prefix "train"; empty: keys without a section.
    /// \param when what all of its keys need to have an effect; nullptr: nothing.
    constexpr explicit section(std::string_view prefix, command_set commands = commands::all,
                               const std::vector<condition>* when = nullptr)
        : prefix_(prefix)
        , commands_(commands)
        , when_(when) {}

    // Each of these declares a key and gives its value. \throws usage_error naming source, key, value and what is
    // accepted.
    std::int64_t integer(const std::string& name, const initial_value&, const std::string& help, const range&,
                         key_traits = {}) const;
    int count(const std::string& name, const initial_value& initial, const std::string& help, const range& accepted,
              key_traits traits = {}) const {
        return static_cast<int>(integer(name, initial, help, accepted, std::move(traits)));
    }
    double real(const std::string& name, const initial_value&, const std::string& help, const range&,
                key_traits = {}) const;
    std::optional<double> real_if_set(const std::string& name, const std::string& help, const range&,
                                      key_traits = {}) const;
    bool onoff(const std::string& name, const initial_value&, const std::string& help, key_traits = {}) const;
    /// In the SI unit.
    double quantity(const std::string& name, dimension, const initial_value&, const std::string& help, const range&,
                    key_traits = {}) const;
    std::optional<double> quantity_if_set(const std::string& name, dimension, const initial_value&,
                                          const std::string& help, const range&, key_traits = {}) const;
    /// What is drawn for each node, link or message. Normal distributions below the range are drawn again.
    distribution drawn(const std::string& name, dimension, const initial_value&, const std::string& help, const range&,
                       key_traits = {}) const;
    std::optional<distribution> drawn_if_set(const std::string& name, dimension, const initial_value&,
                                             const std::string& help, const range&, key_traits = {}) const;
    std::string text(const std::string& name, const initial_value&, const std::string& accepted,
                     const std::string& help, key_traits = {}) const;
    /// With ${VARIABLE} or ~ at its start replaced.
    std::string path(const std::string& name, const initial_value&, const std::string& accepted,
                     const std::string& help, key_traits = {}) const;
    /// Several of them, separated by commas; a comma in the name of something that exists does not part it.
    std::vector<std::string> paths(const std::string& name, const std::string& accepted, const std::string& help,
                                   key_traits = {}) const;
    template <typename T>
    T choice(const std::string& name, const initial_value& initial, std::span<const word<T>> words,
             const std::string& help, key_traits traits = {}) const {
        std::vector<std::string> texts;
        for (const auto& one : words) {
            texts.emplace_back(one.text);
        }
        return words[choose(name, initial, std::move(texts), help, std::move(traits))].value;
    }
    template <typename T, std::size_t count>
    T choice(const std::string& name, const initial_value& initial, const word<T> (&words)[count],
             const std::string& help, key_traits traits = {}) const {
        return choice(name, initial, std::span<const word<T>>(words), help, std::move(traits));
    }
    /// The name of an entry of a registry. A program that has none of the kind (the core alone has no tuning method) takes
    /// any name.
    template <typename Entry>
    std::string named(const std::string& name, const initial_value& initial, const std::string& help,
                      key_traits traits = {}) const {
        std::vector<std::string> names;
        for (const auto* entry : registry<Entry>::all()) {
            names.emplace_back(entry->name);
        }
        return names.empty() ? text(name, initial, "", help, std::move(traits))
                             : names[choose(name, initial, names, help, std::move(traits))];
    }
    /// Something of a form of its own. \param parse its text; throws usage_error with what is accepted.
    template <typename Parse>
    auto parsed(const std::string& name, const initial_value& initial, const std::string& accepted,
                const std::string& help, const Parse& parse, key_traits traits = {}) const {
        const auto [key, value] = declare(value_kind::text, name, initial, accepted, help, std::move(traits));
        try {
            return parse(value);
        } catch (const usage_error& problem) {
            reject(key, value, problem.what());
        }
    }
    /// What a file of settings says, whose content counts for a run's identity in place of its path. \param read its
    /// path; throws usage_error. \returns a default-made value when the key is not set.
    template <typename Read>
    auto file(const std::string& name, const std::string& accepted, const std::string& help, const Read& read,
              key_traits traits = {}) const {
        const auto [key, value] = declare(value_kind::file, name, "", accepted, help, std::move(traits));
        using result = decltype(read(value));
        if (value.empty()) {
            return result{};
        }
        try {
            return read(expanded(key, value));
        } catch (const usage_error& problem) {
            reject(key, value, problem.what());
        }
    }

    std::string full(const std::string& name) const {
        return prefix_.empty() ? name : std::string(prefix_) + "." + name;
    }

private:
    struct declared {
        std::string key, value;
    };
    declared declare(value_kind, const std::string& name, const initial_value&, const std::string& accepted,
                     const std::string& help, key_traits&&, dimension = dimension::number,
                     std::vector<std::string> words = {}) const;
    std::size_t choose(const std::string& name, const initial_value&, std::vector<std::string> words,
                       const std::string& help, key_traits&&) const;
    [[noreturn]] static void reject(const std::string& key, const std::string& value, const std::string& why);
    static std::string expanded(const std::string& key, const std::string& path);

    std::string_view prefix_;
    command_set commands_;
    const std::vector<condition>* when_;
};

/// While one exists, sections that this thread makes take their values from settings.
class reading {
public:
    explicit reading(const settings&);
    ~reading();
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;

private:
    const settings* before_;
};

/// Every key, in the order of the help.
const std::vector<key_info>& all_keys();
const key_info* find_key(const std::string& name);

// What this room asks of the scenario, which defines it and which it does not know.
/// Makes one of every section: all_keys() hears of their keys that way.
void make_all_sections();
/// Settings with those replaced that others decide, so that what is printed and stored is what is run: the sizes of a
/// preset model; no rate and power for a device that is described by its clock. Values that are wrong stay as they are.
settings resolve(settings);

/// Why a setting has no effect on what a command does, for a message; empty: it has one. \param value_of the values of
/// all keys.
std::string without_effect(const std::string& key, const std::string& command,
                           const std::function<std::string(const std::string&)>& value_of);

/// A word with arguments: "dirichlet(0.3)", "log_distance(38 dB, 3)", "iid".
struct word_call {
    std::string name;
    std::vector<std::string> arguments; ///< None for a word alone.
};
/// Nothing when the text is of another form.
std::optional<word_call> parse_call(const std::string& text);

/// Parts of a text between separators, without blanks at their ends.
std::vector<std::string> split_text(const std::string& text, char separator);
/// A path with ${VARIABLE} or ~ at its start replaced. \throws usage_error when the variable is not set.
std::string expanded_path(const std::string& path);
/// A list of paths; a comma in the name of something that exists does not part it. \throws usage_error
std::vector<std::string> expanded_paths(const std::string& text);
/// \throws usage_error telling what is accepted.
std::int64_t parse_integer(const std::string& text, const range&);
double parse_number(const std::string& text, const range&);

} // namespace gaisnet
