#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A value within a JSON file. It knows its place, so that a message can name file and place. The JSON document has to
/// live as long. Every member throws usage_error where the value is of another kind than asked for.
class json_part {
public:
    /// \param file for messages. \param place for messages, for example "model.merges[3]"; empty for the whole.
    json_part(const nlohmann::json& value, std::string file, std::string place);

    /// Throws usage_error: "FILE: PLACE PROBLEM".
    [[noreturn]] void refuse(const std::string& problem) const;
    /// Refuses a value of `type` that is not among those supported: `model "Unigram" is not supported; accepted: ...`.
    [[noreturn]] void refuse_type(const std::string& kind, const std::string& accepted) const;

    const nlohmann::json& value() const { return *value_; }
    bool is_text() const;
    bool is_list() const;
    bool is_object() const;

    /// A member of an object; nothing where it is missing or null.
    std::optional<json_part> find(const std::string& name) const;
    /// A member that has to be there, and not null.
    json_part at(const std::string& name) const;
    /// The elements of a list.
    std::vector<json_part> elements() const;

    const std::string& text() const;
    /// A whole number from 0 to 2^31 - 1.
    std::size_t count() const;
    bool flag() const;

    std::string text_or(const std::string& name, const std::string& otherwise) const;
    std::size_t count_or(const std::string& name, std::size_t otherwise) const;
    bool flag_or(const std::string& name, bool otherwise) const;

    const std::string& file() const { return file_; }
    const std::string& place() const { return place_; }

private:
    const nlohmann::json* value_;
    std::string file_;
    std::string place_;
};

/// Reads a JSON file of a user's. \throws usage_error naming the file when it cannot be read, is not JSON or is nested
/// more than 64 deep.
nlohmann::json read_json_file(const std::filesystem::path&);

} // namespace gaisnet
