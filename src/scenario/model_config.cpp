#include "scenario/model_config.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"
#include "base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

namespace gaisnet {

namespace {

std::string shown(const nlohmann::json& value) {
    constexpr std::size_t most = 60;
    if (value.is_number() || value.is_boolean()) {
        return value.dump();
    }
    return printable((value.is_string() ? value.get<std::string>()
                                        : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace))
                         .substr(0, most));
}

} // namespace

model_config::model_config(const std::filesystem::path& folder)
    : place_(printable((folder / "config.json").string()) + ": ") {
    std::ifstream file(folder / "config.json", std::ios::binary);
    if (!file) {
        throw usage_error(place_ + "it cannot be read; a folder with config.json and model.safetensors is accepted");
    }
    auto values = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (!values.is_object()) {
        throw usage_error(place_ + "it is no JSON object");
    }
    values_ = std::make_shared<const nlohmann::json>(std::move(values));
}

const nlohmann::json* model_config::find(const std::string& name) const {
    if (!values_) {
        return nullptr;
    }
    const auto found = values_->find(name);
    return found == values_->end() || found->is_null() ? nullptr : &*found;
}

bool model_config::has(const std::string& name) const { return find(name) != nullptr; }

std::int64_t model_config::integer(const std::string& name) const {
    if (!has(name)) {
        throw usage_error(place_ + name + " is missing");
    }
    return integer(name, 0);
}

std::int64_t model_config::integer(const std::string& name, std::int64_t otherwise) const {
    const auto* const value = find(name);
    if (value == nullptr) {
        return otherwise;
    }
    constexpr std::int64_t most = 1'000'000'000;
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0 || value->get<std::int64_t>() > most) {
        refuse(name, "a whole number from 0 to 1000000000 is accepted");
    }
    return value->get<std::int64_t>();
}

double model_config::real(const std::string& name, double otherwise) const {
    const auto* const value = find(name);
    if (value == nullptr) {
        return otherwise;
    }
    if (!value->is_number()) {
        refuse(name, "a number is accepted");
    }
    return value->get<double>();
}

bool model_config::flag(const std::string& name, bool otherwise) const {
    const auto* const value = find(name);
    if (value == nullptr) {
        return otherwise;
    }
    if (!value->is_boolean()) {
        refuse(name, "true or false is accepted");
    }
    return value->get<bool>();
}

std::string model_config::text(const std::string& name, const std::string& otherwise) const {
    const auto* const value = find(name);
    if (value == nullptr) {
        return otherwise;
    }
    if (!value->is_string()) {
        refuse(name, "a text is accepted");
    }
    return value->get<std::string>();
}

model_config model_config::inside(const std::string& name) const {
    const auto* const value = find(name);
    if (value == nullptr) {
        return {place_ + name + ".", nullptr};
    }
    if (!value->is_object()) {
        refuse(name, "an object is accepted");
    }
    return {place_ + name + ".", std::make_shared<const nlohmann::json>(*value)};
}

void model_config::refuse(const std::string& name, const std::string& why) const {
    const auto* const value = find(name);
    throw usage_error(place_ + name + (value == nullptr ? "" : " = " + shown(*value)) + ": " + why);
}

void model_config::refuse_if_on(const std::string& name, const std::string& why) const {
    if (flag(name, false)) {
        refuse(name, why);
    }
}

void model_config::accept(const std::string& name, const std::vector<std::string>& values) const {
    const auto value = text(name, values.front());
    if (std::find(values.begin(), values.end(), value) == values.end()) {
        refuse(name, values.front() + " is accepted");
    }
}

void model_config::check_head(std::int64_t width) const {
    if (integer("head_dim", width) != width) {
        refuse("head_dim", std::to_string(width) + ", the hidden size of each head, is accepted");
    }
}

std::vector<configured_value> read_model_config(const std::filesystem::path& folder) {
    const model_config config(folder);
    if (!config.has("model_type")) {
        if (config.has("architecture")) { // timm's
            return {};
        }
        throw usage_error(printable((folder / "config.json").string()) +
                          ": it has no model_type; accepted: " + registry<config_entry>::names());
    }
    const auto type = config.text("model_type", "");
    const auto* const entry = registry<config_entry>::find(type);
    if (entry == nullptr) {
        config.refuse("model_type", "it is not supported; accepted: " + registry<config_entry>::names());
    }
    if (config.has("quantization_config")) {
        config.refuse("quantization_config", "quantised weights are not supported; F32, F16 and BF16 are accepted");
    }
    return entry->read(config);
}

std::string setting_text(std::int64_t value) { return std::to_string(value); }
std::string setting_text(double value) { return fmt::format("{}", value); }
std::string setting_text(bool value) { return value ? "on" : "off"; }

} // namespace gaisnet
