#pragma once

// What a folder of a model on the hub says of it: config.json, as Hugging Face's transformers writes it.

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A value of a key of [model] that a folder tells.
struct configured_value {
    std::string key, value;
    bool fixed = true; ///< Another value contradicts the weights; otherwise it is one among others.
};

/// The entries of a config.json, for the families that read it.
class model_config {
public:
    /// \param folder with a config.json. \throws usage_error when there is none, or when it is no JSON object
    explicit model_config(const std::filesystem::path& folder);

    /// Whether there is such an entry, other than null.
    bool has(const std::string& name) const;
    // The value of an entry. \throws usage_error for another type; the ones without a second parameter also when there is
    // none.
    std::int64_t integer(const std::string& name) const;
    std::int64_t integer(const std::string& name, std::int64_t otherwise) const;
    double real(const std::string& name, double otherwise) const;
    bool flag(const std::string& name, bool otherwise) const;
    std::string text(const std::string& name, const std::string& otherwise) const;
    /// The entries of an object that is an entry; none when there is no such object.
    model_config inside(const std::string& name) const;

    /// \throws usage_error that names file, entry and value. \param why "one of ... is accepted"
    [[noreturn]] void refuse(const std::string& name, const std::string& why) const;
    /// Refuses an entry that is there, true and not accepted.
    void refuse_if_on(const std::string& name, const std::string& why) const;
    /// Refuses an entry that is there and has none of these values.
    void accept(const std::string& name, const std::vector<std::string>& values) const;
    /// Refuses a width of a head that is not hidden size / heads.
    void check_head(std::int64_t width) const;

private:
    model_config(std::string place, std::shared_ptr<const nlohmann::json> values)
        : place_(std::move(place))
        , values_(std::move(values)) {}
    const nlohmann::json* find(const std::string& name) const;

    std::string place_; ///< "FOLDER/config.json: ", and in an object its name.
    std::shared_ptr<const nlohmann::json> values_;
};

/// A model_type of config.json that is understood; the families register those that they read.
struct config_entry {
    const char* name;
    std::vector<configured_value> (*read)(const model_config&);
};

/// The values of [model], model.family among them, that the config.json of a folder tells. A file that timm has written
/// tells none.
/// \throws usage_error, in one sentence, for what is not supported
std::vector<configured_value> read_model_config(const std::filesystem::path& folder);

/// As the text of a key.
std::string setting_text(std::int64_t value);
std::string setting_text(double value);
std::string setting_text(bool value);

} // namespace gaisnet
