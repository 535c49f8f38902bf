#pragma once

#include "base/error.hpp"
#include "settings/key.hpp"

#include <string>

namespace gaisnet {

/// Settings as given, for checks that concern several keys.
class value_reader {
public:
    explicit value_reader(const settings& values): values_(values) {}

    const std::string& text(const std::string& key) const { return values_.at(key).value; }
    bool is_set(const std::string& key) const { return !text(key).empty(); }
    bool is_changed(const std::string& key) const { return text(key) != find_key(key)->initial; }
    bool is_default(const std::string& key) const { return values_.at(key).is_default(); }

    /// \throws usage_error with source, key and value.
    [[noreturn]] void reject(const std::string& key, const std::string& why) const {
        const auto& one = values_.at(key);
        throw usage_error(one.source + ": " + key + " = " + one.value + ": " + why);
    }

private:
    const settings& values_;
};

} // namespace gaisnet
