#include "settings/key.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace gaisnet {

namespace {

/// Settings from which sections under construction take their values.
thread_local const settings* source = nullptr;
/// List to which they add their keys.
thread_local std::vector<key_info>* collected = nullptr;

std::string plain(double value) {
    std::ostringstream out;
    constexpr int enough = 15;
    out.precision(enough);
    out << value;
    return out.str();
}

/// Lets a normal distribution of a non-negative quantity redraw values that are not positive, and checks its range.
distribution checked(distribution value, const range& accepted) {
    const bool is_normal = value.kind == distribution::family::normal;
    if (is_normal && accepted.least >= 0.0) {
        value.positive = true;
        if (!value.in_dbm && value.parameters[0] <= 0.0) {
            throw usage_error("a mean above 0 is accepted");
        }
    }
    if (is_normal && accepted.without_tails) {
        value.most = accepted.most;
        if (value.parameters[0] > value.most) {
            throw usage_error("a mean of at most " + plain(accepted.most) + " is accepted");
        }
    }
    const double highest = is_normal && accepted.without_tails ? value.lowest() : value.highest();
    if (!accepted.has(value.lowest(), highest)) {
        throw usage_error(accepted.described("a value") + " is accepted");
    }
    return value;
}

} // namespace

std::string range::described(const std::string& what) const {
    constexpr double nothing = std::numeric_limits<double>::infinity();
    if (!words.empty()) {
        return words;
    }
    std::string text = what;
    if (least > -nothing) {
        text += (above_least ? " above " : " of at least ") + plain(least);
    }
    if (most < nothing) {
        text += std::string(least > -nothing ? " and" : "") + (below_most ? " below " : " at most ") + plain(most);
    }
    return text;
}

reading::reading(const settings& values): before_(source) { source = &values; }
reading::~reading() { source = before_; }

section::declared section::declare(value_kind kind, const std::string& name, const initial_value& initial,
                                   const std::string& accepted, const std::string& help, key_traits&& traits,
                                   dimension unit, std::vector<std::string> words) const {
    const auto key = full(name);
    if (collected) {
        if (when_) {
            traits.when.insert(traits.when.end(), when_->begin(), when_->end());
        }
        collected->push_back({key, kind, unit, initial.text, help, accepted, std::move(words), initial.is_assumed,
                              traits.commands.value_or(commands_), std::move(traits.when), traits.identity,
                              std::move(traits.details)});
    }
    if (source) {
        const auto found = source->find(key);
        if (found != source->end()) {
            return {key, found->second.value};
        }
    }
    return {key, initial.text};
}

void section::reject(const std::string& key, const std::string& value, const std::string& why) {
    const auto found = source ? source->find(key) : settings::const_iterator{};
    const bool has_source = source && found != source->end();
    throw usage_error((has_source ? found->second.source : std::string("default")) + ": " + key + " = " + value + ": " +
                      why);
}

std::int64_t section::integer(const std::string& name, const initial_value& initial, const std::string& help,
                              const range& accepted, key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::integer, name, initial, accepted.described("a whole number"), help, std::move(traits));
    try {
        return parse_integer(value, accepted);
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

double section::real(const std::string& name, const initial_value& initial, const std::string& help,
                     const range& accepted, key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::real, name, initial, accepted.described("a number"), help, std::move(traits));
    try {
        return parse_number(value, accepted);
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

std::optional<double> section::real_if_set(const std::string& name, const std::string& help, const range& accepted,
                                           key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::real, name, "", accepted.described("a number"), help, std::move(traits));
    try {
        return value.empty() ? std::nullopt : std::optional(parse_number(value, accepted));
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

bool section::onoff(const std::string& name, const initial_value& initial, const std::string& help,
                    key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::onoff, name, initial, "", help, std::move(traits), dimension::number, {"on", "off"});
    if (value != "on" && value != "off") {
        reject(key, value, "accepted: on, off");
    }
    return value == "on";
}

std::optional<double> section::quantity_if_set(const std::string& name, dimension unit, const initial_value& initial,
                                               const std::string& help, const range& accepted,
                                               key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::quantity, name, initial, accepted_units(unit), help, std::move(traits), unit);
    if (value.empty()) {
        return std::nullopt;
    }
    try {
        const auto parsed = parse_distribution(value, unit);
        if (parsed.kind != distribution::family::constant) {
            throw usage_error("one value is accepted, no distribution");
        }
        return checked(parsed, accepted).parameters[0];
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

double section::quantity(const std::string& name, dimension unit, const initial_value& initial, const std::string& help,
                         const range& accepted, key_traits traits) const {
    const auto value = quantity_if_set(name, unit, initial, help, accepted, std::move(traits));
    if (!value) {
        reject(full(name), "", "a value is missing");
    }
    return *value;
}

std::optional<distribution> section::drawn_if_set(const std::string& name, dimension unit, const initial_value& initial,
                                                  const std::string& help, const range& accepted,
                                                  key_traits traits) const {
    const auto [key, value] =
        declare(value_kind::distribution, name, initial, accepted_units(unit), help, std::move(traits), unit);
    try {
        return value.empty() ? std::nullopt : std::optional(checked(parse_distribution(value, unit), accepted));
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

distribution section::drawn(const std::string& name, dimension unit, const initial_value& initial,
                            const std::string& help, const range& accepted, key_traits traits) const {
    auto value = drawn_if_set(name, unit, initial, help, accepted, std::move(traits));
    if (!value) {
        reject(full(name), "", "a value is missing");
    }
    return *std::move(value);
}

drawn_count section::drawn_whole(const std::string& name, const initial_value& initial, const std::string& help,
                                 const range& accepted, key_traits traits) const {
    const auto numbers = accepted.described("a whole number") + ", or choice(...) or uniform(...) of such numbers";
    const auto [key, value] = declare(value_kind::distribution, name, initial, numbers, help, std::move(traits));
    try {
        drawn_count out;
        out.values = parse_distribution(value, dimension::number);
        const auto& all = out.values.parameters;
        const bool whole = std::all_of(all.begin(), all.end(), [](double one) { return one == std::floor(one); });
        if (!whole || out.values.kind == distribution::family::normal ||
            !accepted.has(out.values.lowest(), out.values.highest())) {
            throw usage_error(numbers + " is accepted");
        }
        return out;
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

std::string section::text(const std::string& name, const initial_value& initial, const std::string& accepted,
                          const std::string& help, key_traits traits) const {
    return declare(value_kind::text, name, initial, accepted, help, std::move(traits)).value;
}

std::string section::expanded(const std::string& key, const std::string& path) {
    try {
        return expanded_path(path);
    } catch (const usage_error& problem) {
        reject(key, path, problem.what());
    }
}

std::string section::path(const std::string& name, const initial_value& initial, const std::string& accepted,
                          const std::string& help, key_traits traits) const {
    const auto [key, value] = declare(value_kind::path, name, initial, accepted, help, std::move(traits));
    return expanded(key, value);
}

std::vector<std::string> section::paths(const std::string& name, const std::string& accepted, const std::string& help,
                                        key_traits traits) const {
    const auto [key, value] = declare(value_kind::path, name, "", accepted, help, std::move(traits));
    try {
        return expanded_paths(value);
    } catch (const usage_error& problem) {
        reject(key, value, problem.what());
    }
}

std::size_t section::choose(const std::string& name, const initial_value& initial, std::vector<std::string> words,
                            const std::string& help, key_traits&& traits) const {
    const auto [key, value] =
        declare(value_kind::choice, name, initial, "", help, std::move(traits), dimension::number, words);
    const auto found = std::find(words.begin(), words.end(), value);
    if (found == words.end()) {
        std::string accepted;
        for (const auto& one : words) {
            accepted += (accepted.empty() ? "" : ", ") + one;
        }
        reject(key, value, "accepted: " + accepted);
    }
    return static_cast<std::size_t>(found - words.begin());
}

const std::vector<key_info>& all_keys() {
    static const auto keys = [] {
        std::vector<key_info> made;
        const auto* const values = std::exchange(source, nullptr);
        collected = &made;
        make_all_sections();
        collected = nullptr;
        source = values;
        return made;
    }();
    return keys;
}

const key_info* find_key(const std::string& name) {
    const auto& keys = all_keys();
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

std::string without_effect(const std::string& key, const std::string& command,
                           const std::function<std::string(const std::string&)>& value_of) {
    const auto& info = *find_key(key);
    const auto asking = commands::asking(command, value_of);
    const auto* asked = registry<commands::info>::find(command);
    if ((info.commands & asking) == 0) {
        const bool otherwise = asked && (info.commands & asked->may_use()) != 0;
        return otherwise ? std::string(asked->other->key) + " is " + value_of(asked->other->key)
                         : command + " does not look at it";
    }
    if (const auto* few = asked ? asked->narrow : nullptr; few && value_of(few->key) == few->value) {
        const bool is_one = std::any_of(std::begin(few->beginnings), std::end(few->beginnings),
                                        [&](std::string_view beginning) { return key.starts_with(beginning); });
        if (!is_one) {
            return std::string(few->key) + " is " + few->value;
        }
    }
    for (const auto& one : info.when) {
        if ((one.commands & asking) == 0) {
            continue;
        }
        const auto value = value_of(one.key);
        const bool listed = std::any_of(one.values.begin(), one.values.end(), [&](const std::string& beginning) {
            return one.other_than || beginning.empty() ? value == beginning : value.starts_with(beginning);
        });
        if (listed == one.other_than) {
            return one.key + (value.empty() ? " is not set" : " is " + value);
        }
    }
    return {};
}

std::optional<word_call> parse_call(const std::string& text) {
    const auto open = text.find('(');
    if (open == std::string::npos) {
        return text.empty() ? std::nullopt : std::optional(word_call{text, {}});
    }
    if (open == 0 || !text.ends_with(')')) {
        return std::nullopt;
    }
    return word_call{text.substr(0, open), split_text(text.substr(open + 1, text.size() - open - 2), ',')};
}

std::vector<std::string> split_text(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream in(text);
    for (std::string part; std::getline(in, part, separator);) {
        parts.emplace_back(trimmed(part));
    }
    return parts;
}

std::string expanded_path(const std::string& path) {
    std::string variable, rest;
    if (path.starts_with("~/")) {
        variable = "HOME";
        rest = path.substr(1);
    } else if (path.starts_with("${") && path.find('}') != std::string::npos) {
        variable = path.substr(2, path.find('}') - 2);
        rest = path.substr(path.find('}') + 1);
    } else {
        return path;
    }
    const char* value = std::getenv(variable.c_str());
    if (!value) {
        throw usage_error("the environment variable " + variable + " is not set");
    }
    return value + rest;
}

std::vector<std::string> expanded_paths(const std::string& text) {
    std::vector<std::string> all;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto part = [&](std::size_t end) { return std::string(trimmed(text.substr(begin, end - begin))); };
        auto end = std::min(text.find(',', begin), text.size());
        for (auto next = end; next < text.size();) {
            next = std::min(text.find(',', next + 1), text.size());
            std::error_code ignored;
            end = std::filesystem::exists(expanded_path(part(next)), ignored) ? next : end;
        }
        all.push_back(expanded_path(part(end)));
        begin = end + 1;
    }
    return all;
}

std::int64_t parse_integer(const std::string& text, const range& accepted) {
    constexpr double largest = std::numeric_limits<int>::max();
    const double most = std::min(accepted.most, largest);
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto as_number = static_cast<double>(value);
    const bool is_number = code == std::errc{} && end == text.data() + text.size();
    if (!is_number || as_number < accepted.least || as_number > most) {
        const bool is_large = code == std::errc::result_out_of_range || (is_number && as_number > most);
        throw usage_error("a whole number " +
                          (accepted.most > largest && !is_large
                               ? "of at least " + plain(accepted.least)
                               : "from " + plain(accepted.least) + " to " + plain(most)) +
                          " is accepted");
    }
    return value;
}

double parse_number(const std::string& text, const range& accepted) {
    const double value = parse_quantity(text, dimension::number);
    if (!accepted.has(value, value)) {
        throw usage_error(accepted.described("a number") + " is accepted");
    }
    return value;
}

} // namespace gaisnet
