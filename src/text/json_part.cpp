#include "text/json_part.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

namespace gaisnet {

namespace {

constexpr int deepest_json = 64;

} // namespace

json_part::json_part(const nlohmann::json& value, std::string file, std::string place)
    : value_(&value)
    , file_(std::move(file))
    , place_(std::move(place)) {}

void json_part::refuse(const std::string& problem) const {
    throw usage_error(file_ + ": " + (place_.empty() ? "" : place_ + " ") + problem);
}

void json_part::refuse_type(const std::string& kind, const std::string& accepted) const {
    const auto type = find("type");
    throw usage_error(file_ + ": " + kind + " " +
                      (type && type->is_text() ? printable(type->text()) : std::string("without a type")) +
                      (place_.empty() || place_ == kind ? "" : " (" + place_ + ")") +
                      " is not supported; accepted: " + accepted);
}

bool json_part::is_text() const { return value_->is_string(); }
bool json_part::is_list() const { return value_->is_array(); }
bool json_part::is_object() const { return value_->is_object(); }

std::optional<json_part> json_part::find(const std::string& name) const {
    if (!value_->is_object()) {
        refuse(std::string("is of the kind ") + value_->type_name() + "; an object is accepted");
    }
    const auto found = value_->find(name);
    if (found == value_->end() || found->is_null()) {
        return std::nullopt;
    }
    return json_part(*found, file_, place_.empty() ? name : place_ + "." + name);
}

json_part json_part::at(const std::string& name) const {
    auto part = find(name);
    if (!part) {
        refuse((place_.empty() ? "has no '" : "lacks '") + name + "'");
    }
    return *part;
}

std::vector<json_part> json_part::elements() const {
    if (!value_->is_array()) {
        refuse(std::string("is of the kind ") + value_->type_name() + "; a list is accepted");
    }
    std::vector<json_part> parts;
    parts.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
        parts.emplace_back((*value_)[i], file_, place_ + "[" + std::to_string(i) + "]");
    }
    return parts;
}

const std::string& json_part::text() const {
    if (!value_->is_string()) {
        refuse(std::string("is of the kind ") + value_->type_name() + "; a string is accepted");
    }
    return value_->get_ref<const std::string&>();
}

std::size_t json_part::count() const {
    constexpr std::uint64_t largest = std::numeric_limits<std::int32_t>::max();
    if (!value_->is_number_unsigned() || value_->get<std::uint64_t>() > largest) {
        const bool is_number = value_->is_number();
        refuse((is_number ? "is " + value_->dump() : std::string("is of the kind ") + value_->type_name()) +
               "; a whole number from 0 to " + std::to_string(largest) + " is accepted");
    }
    return value_->get<std::size_t>();
}

bool json_part::flag() const {
    if (!value_->is_boolean()) {
        refuse(std::string("is of the kind ") + value_->type_name() + "; true or false is accepted");
    }
    return value_->get<bool>();
}

std::string json_part::text_or(const std::string& name, const std::string& otherwise) const {
    const auto part = find(name);
    return part ? part->text() : otherwise;
}

std::size_t json_part::count_or(const std::string& name, std::size_t otherwise) const {
    const auto part = find(name);
    return part ? part->count() : otherwise;
}

bool json_part::flag_or(const std::string& name, bool otherwise) const {
    const auto part = find(name);
    return part ? part->flag() : otherwise;
}

nlohmann::json read_json_file(const std::filesystem::path& path) {
    auto in = open_input(path.string());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto guard = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        if (depth > deepest_json) {
            throw usage_error(path.string() + ": the JSON is nested more than " + std::to_string(deepest_json) +
                              " deep");
        }
        return true;
    };
    try {
        return nlohmann::json::parse(text, guard);
    } catch (const nlohmann::json::parse_error& problem) {
        throw usage_error(path.string() + " is not valid JSON (at byte " + std::to_string(problem.byte) + " of " +
                          std::to_string(text.size()) + ")");
    } catch (const nlohmann::json::out_of_range&) {
        throw usage_error(path.string() + " is not valid JSON (it holds a number that is out of range)");
    }
}

} // namespace gaisnet
