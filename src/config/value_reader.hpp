#pragma once

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/keys.hpp"
#include "config/quantity.hpp"
#include "config/scenario_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// Parts of a text between separators, without blanks at their ends.
inline std::vector<std::string> split_text(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream in(text);
    for (std::string part; std::getline(in, part, separator);) {
        parts.emplace_back(trimmed(part));
    }
    return parts;
}

/// Takes values out of settings. \throws usage_error with source, key, value and what is accepted.
class value_reader {
public:
    explicit value_reader(const settings& values): values_(values) {}

    const settings& values() const { return values_; }
    const std::string& text(const std::string& key) const { return values_.at(key).value; }

    [[noreturn]] void reject(const std::string& key, const std::string& why) const {
        const auto& one = values_.at(key);
        throw usage_error(one.source + ": " + key + " = " + one.value + ": " + why);
    }

    std::int64_t integer(const std::string& key, std::int64_t least,
                         std::int64_t most = std::numeric_limits<int>::max()) const {
        return whole(key, text(key), least, most);
    }

    std::int64_t whole(const std::string& key, const std::string& word, std::int64_t least, std::int64_t most) const {
        std::int64_t value = 0;
        const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (code != std::errc{} || end != word.data() + word.size() || value < least || value > most) {
            reject(key, "a whole number " +
                            (most == std::numeric_limits<int>::max() && code != std::errc::result_out_of_range &&
                                     value <= most
                                 ? "of at least " + std::to_string(least)
                                 : "from " + std::to_string(least) + " to " + std::to_string(most)) +
                            " is accepted");
        }
        return value;
    }

    int count(const std::string& key, int least) const { return static_cast<int>(integer(key, least)); }

    double real(const std::string& key, double least, double most, bool open = false) const {
        return number(key, text(key), least, most, open);
    }

    double number(const std::string& key, const std::string& word, double least, double most, bool open = false) const {
        double value = 0.0;
        try {
            value = parse_quantity(word, dimension::number);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
        if (value < least || value > most || (open && value <= least)) {
            std::ostringstream range;
            range << "a number " << (open ? "above " : "of at least ") << least;
            if (most < 1e300) {
                range << " and at most " << most;
            }
            reject(key, range.str() + " is accepted");
        }
        return value;
    }

    bool onoff(const std::string& key) const { return choice<bool>(key, {{"on", true}, {"off", false}}); }

    template <typename T>
    T choice(const std::string& key, const std::vector<std::pair<std::string, T>>& words) const {
        std::string accepted;
        for (const auto& [word, value] : words) {
            if (word == text(key)) {
                return value;
            }
            accepted += (accepted.empty() ? "" : ", ") + word;
        }
        reject(key, "accepted: " + accepted);
    }

    distribution drawn(const std::string& key, bool positive) const {
        if (text(key).empty()) {
            reject(key, "a value is missing");
        }
        try {
            auto value = parse_distribution(text(key), find_key(key)->unit);
            if (value.kind == distribution::family::normal) {
                value.positive = true;
                if (!value.in_dbm && value.parameters[0] <= 0.0) {
                    reject(key, "a mean above 0 is accepted");
                }
            }
            if (value.lowest() < 0.0 || (positive && value.lowest() == 0.0)) {
                reject(key, positive ? "a value above 0 is accepted" : "a value of at least 0 is accepted");
            }
            return value;
        } catch (const usage_error& problem) {
            if (std::string(problem.what()).find(key) != std::string::npos) {
                throw;
            }
            reject(key, problem.what());
        }
    }

    /// A quantity within bounds, which `accepted` tells.
    double quantity_within(const std::string& key, double least, double most, const char* accepted) const {
        const double value = quantity(key, false);
        if (value < least || value > most) {
            reject(key, std::string(accepted) + " is accepted");
        }
        return value;
    }

    distribution drawn_at_most(const std::string& key, double most, const char* accepted) const {
        auto value = drawn(key, true);
        if (value.highest() > most) {
            reject(key, std::string(accepted) + " is accepted");
        }
        return value;
    }

    /// A distribution of any sign.
    distribution drawn_freely(const std::string& key) const {
        try {
            return parse_distribution(text(key), find_key(key)->unit);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    /// Absent when the key is not set.
    std::optional<distribution> drawn_if_set(const std::string& key, bool positive) const {
        return text(key).empty() ? std::nullopt : std::optional(drawn(key, positive));
    }

    /// A quantity of any sign.
    double quantity_freely(const std::string& key) const {
        try {
            return parse_quantity(text(key), find_key(key)->unit);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    double quantity(const std::string& key, bool positive) const {
        const auto value = drawn(key, positive);
        if (value.kind != distribution::family::constant) {
            reject(key, "one value is accepted, no distribution");
        }
        return value.parameters[0];
    }

    /// A path with ${VARIABLE} or ~ at its start replaced.
    std::string path(const std::string& key) const { return path(key, text(key)); }
    /// Several of them, separated by commas.
    /// A list; a comma in the name of something that exists does not part it.
    std::vector<std::string> paths(const std::string& key) const {
        const auto& whole = text(key);
        std::vector<std::string> all;
        for (std::size_t begin = 0; begin < whole.size();) {
            const auto part = [&](std::size_t end) { return std::string(trimmed(whole.substr(begin, end - begin))); };
            auto end = std::min(whole.find(',', begin), whole.size());
            for (auto next = end; next < whole.size();) {
                next = std::min(whole.find(',', next + 1), whole.size());
                std::error_code ignored;
                end = std::filesystem::exists(path(key, part(next)), ignored) ? next : end;
            }
            all.push_back(path(key, part(end)));
            begin = end + 1;
        }
        return all;
    }
    std::string path(const std::string& key, const std::string& given) const {
        std::string variable, rest;
        if (given.starts_with("~/")) {
            variable = "HOME";
            rest = given.substr(1);
        } else if (given.starts_with("${") && given.find('}') != std::string::npos) {
            variable = given.substr(2, given.find('}') - 2);
            rest = given.substr(given.find('}') + 1);
        } else {
            return given;
        }
        const char* value = std::getenv(variable.c_str());
        if (!value) {
            reject(key, "the environment variable " + variable + " is not set");
        }
        return value + rest;
    }

    /// What `read` makes of the file that a key names.
    template <typename T>
    T read_file(const std::string& key, const std::function<T(const std::string&)>& read) const {
        try {
            return read(path(key));
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    bool is_changed(const std::string& key) const { return text(key) != find_key(key)->initial; }

    bool is_default(const std::string& key) const { return values_.at(key).source.starts_with("default"); }

private:
    const settings& values_;
};

} // namespace gaisnet
