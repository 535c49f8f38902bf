#include "settings/configuration.hpp"

#include "base/error.hpp"
#include "settings/key.hpp"
#include "settings/sources.hpp"

#include <utility>

namespace gaisnet {

configuration configuration::defaults(std::string command) { return {std::move(command), default_settings()}; }

configuration configuration::from_file(const std::string& path, std::string command) {
    auto made = defaults(std::move(command));
    made.files.push_back(path);
    read_config_file(path, made.values);
    made.values = resolve(std::move(made.values));
    return made;
}

configuration& configuration::set(const std::string& key, const std::string& value) {
    if (!find_key(key)) {
        const auto guess = nearest(key, key_names());
        throw usage_error("unknown key " + key + (guess.empty() ? "" : ", did you mean " + guess + "?"));
    }
    values[key] = {value, "program"};
    for (const auto& [name, initial] : default_settings()) {
        if (values[name].is_derived) { // it may have been derived from the old value
            values[name] = initial;
        }
    }
    values = resolve(std::move(values));
    return *this;
}

} // namespace gaisnet
