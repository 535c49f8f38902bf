#pragma once

// A key is declared once: the member of a section's struct that holds its value.
//
//     struct training_settings {
//         static constexpr section key{"train", commands::training};
//         int rounds = key.count("rounds", "3", "rounds at most", at_least(1));
//         double momentum = key.real("momentum", "0.9", "momentum", within(0, 1), {.when = {with("train.optimizer", {"sgd"})}});
//     };
//
// Name, default, range, help, relevance and identity follow from that statement; --help, --print-config, environment
// variables and shell completion follow from these. A section that is constructed while settings are read (see
// `reading`) takes its values from them; otherwise it has the defaults.

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

/// A default value; `assumed` marks an assumption of this program, which the help shows.
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

/// The accepted range of a number.
struct range {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool above_least = false;   ///< least itself is not accepted.
    bool below_most = false;    ///< most itself is not accepted.
    bool without_tails = false; ///< A normal distribution is accepted; what it draws above the most is drawn again.
    std::string words{};        ///< Description, such as "1 cm to 10000 km"; empty: made from the numbers.
    bool has(double lowest, double highest) const {
        return lowest >= least && highest <= most && !(above_least && lowest == least) &&
               !(below_most && highest == most);
    }
    /// Describes the range: "a number above 0 and at most 1". \param what "a number"
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

/// A condition on another key; without it a key has no effect.
struct condition {
    std::string key;
    std::vector<std::string> values; ///< Values or their prefixes; "": not set.
    bool other_than = false;         ///< All values except these.
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

/// Optional properties of a key.
struct key_traits {
    std::optional<command_set> commands{}; ///< Commands that use it; absent: those of its section.
    std::vector<condition> when{};         ///< If one of these does not hold, the key has no effect.
    bool identity = true;                  ///< Whether its value decides the results of a run.
    std::string details{};                 ///< Lines that `--help KEY` adds.
};

enum class value_kind { text, integer, real, onoff, quantity, distribution, choice, list, path, file };

/// One key of a scenario. Its name is a flag (--link.d2d.rate), a key of a config file and, in capitals with the prefix
/// GAISNET_, an environment variable.
struct key_info {
    std::string name;
    value_kind kind = value_kind::text;
    dimension unit = dimension::number;
    std::string initial; ///< Default; may be empty: not set.
    std::string description;
    std::string accepted{};           ///< Accepted values, shown in the help after the description.
    std::vector<std::string> words{}; ///< choice, onoff: the accepted words.
    bool assumed = false;             ///< The default is an assumption of this program, which the help shows.
    command_set commands = commands::all;
    std::vector<condition> when{};
    bool identity = true;
    std::string details{}; ///< Lines that `--help KEY` adds.
};

/// Keys with a common prefix, and the commands that use them.
class section {
public:
    /// \param prefix "train"; empty: keys without a section. \param when conditions for all of its keys; nullptr: none.
    constexpr explicit section(std::string_view prefix, command_set commands = commands::all,
                               const std::vector<condition>* when = nullptr)
        : prefix_(prefix)
        , commands_(commands)
        , when_(when) {}

    // Each of these functions declares a key and returns its value. \throws usage_error naming source, key, value and
    // what is accepted.
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
    /// Returns the value in the SI unit.
    double quantity(const std::string& name, dimension, const initial_value&, const std::string& help, const range&,
                    key_traits = {}) const;
    std::optional<double> quantity_if_set(const std::string& name, dimension, const initial_value&,
                                          const std::string& help, const range&, key_traits = {}) const;
    /// A value that is drawn for each node, link or message. Draws of normal distributions below the range are
    /// repeated.
    distribution drawn(const std::string& name, dimension, const initial_value&, const std::string& help, const range&,
                       key_traits = {}) const;
    std::optional<distribution> drawn_if_set(const std::string& name, dimension, const initial_value&,
                                             const std::string& help, const range&, key_traits = {}) const;
    /// A whole number that is drawn for each node. Normal distributions are not accepted.
    drawn_count drawn_whole(const std::string& name, const initial_value&, const std::string& help, const range&,
                            key_traits = {}) const;
    std::string text(const std::string& name, const initial_value&, const std::string& accepted,
                     const std::string& help, key_traits = {}) const;
    /// A path; ${VARIABLE} or ~ at its start is expanded.
    std::string path(const std::string& name, const initial_value&, const std::string& accepted,
                     const std::string& help, key_traits = {}) const;
    /// Paths separated by commas; a comma inside the name of an existing file does not separate.
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
    /// A value with its own syntax. \param parse converts the text; throws usage_error with what is accepted.
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
    /// The contents of a settings file; in the identity of a run the file's contents count, not its path. \param read
    /// reads the file at a path; throws usage_error. \returns a default-constructed value when the key is not set.
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

/// While an object of this class exists, sections that this thread constructs take their values from its settings.
class reading {
public:
    explicit reading(const settings&);
    ~reading();
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;

private:
    const settings* before_;
};

/// All keys, in the order of the help.
const std::vector<key_info>& all_keys();
const key_info* find_key(const std::string& name);

// The scenario implements these two functions, so that this room need not know it.
/// Constructs every section once, so that all_keys() learns their keys.
void make_all_sections();
/// Derives settings from others, so that what is printed and stored is what is run: a preset sets the sizes of the
/// model; a device that is described by its clock has no rate and power. Invalid values stay unchanged.
settings resolve(settings);

/// Why a setting does not affect a command, for a message; empty: it does. \param value_of returns the value of a key.
std::string without_effect(const std::string& key, const std::string& command,
                           const std::function<std::string(const std::string&)>& value_of);

/// A word with arguments: "dirichlet(0.3)", "log_distance(38 dB, 3)", "iid".
struct word_call {
    std::string name;
    std::vector<std::string> arguments; ///< None for a word alone.
};
/// Nothing when the text is of another form.
std::optional<word_call> parse_call(const std::string& text);

/// Splits a text at separators and trims the parts.
std::vector<std::string> split_text(const std::string& text, char separator);
/// Expands ${VARIABLE} or ~ at the start of a path. \throws usage_error when the variable is not set.
std::string expanded_path(const std::string& path);
/// Expands a list of paths; a comma inside the name of an existing file does not separate. \throws usage_error
std::vector<std::string> expanded_paths(const std::string& text);
/// \throws usage_error with what is accepted.
std::int64_t parse_integer(const std::string& text, const range&);
double parse_number(const std::string& text, const range&);

} // namespace gaisnet
