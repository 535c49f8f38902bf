#pragma once

#include "config/quantity.hpp"

#include <functional>
#include <string>
#include <vector>

namespace gaisnet {

enum class value_kind { text, integer, real, onoff, quantity, distribution, choice, list };

/// One key of a scenario. The same name is a flag (--link.d2d.rate), a key of a config file and, in capitals with
/// GAISNET_ before it, an environment variable.
struct key_info {
    std::string name;
    value_kind kind = value_kind::text;
    dimension unit = dimension::number;
    std::string initial; ///< Default; may be empty.
    std::string description;
    bool assumed = false; ///< The default is an assumption of ours, shown as such.
    std::string accepted; ///< choice: the words, separated by '|'; otherwise what the help shows.
};

/// Every key, in the order of the help. `source` facts: see the README.
const std::vector<key_info>& all_keys();
const key_info* find_key(const std::string& name);

/// True for keys that name a file with settings of its own: its content counts for a run's identity, not its path.
bool names_settings_file(const std::string& key);

/// False for keys that a command does not look at.
bool concerns(const std::string& key, const std::string& command);

/// Why a setting has no effect on what a command does, for a message; empty: it has one. \param value_of the values of
/// all keys.
std::string without_effect(const std::string& key, const std::string& command,
                           const std::function<std::string(const std::string&)>& value_of);

/// Keys and values that the design knows and this version does not build yet: text for the message, or empty.
std::string not_built(const std::string& key, const std::string& value);

} // namespace gaisnet
