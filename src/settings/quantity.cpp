#include "settings/quantity.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <sstream>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

struct unit {
    const char* name;
    double factor;
};

constexpr double bits_a_byte = 8.0;
constexpr const char* dbm = "dBm";

const std::vector<unit>& units_of(dimension what) {
    static const std::vector<unit> none;
    static const std::vector<unit> rate{{"bit/s", 1},
                                        {"kbit/s", 1e3},
                                        {"Mbit/s", 1e6},
                                        {"Gbit/s", 1e9},
                                        {"B/s", bits_a_byte},
                                        {"kB/s", bits_a_byte * 1e3},
                                        {"MB/s", bits_a_byte * 1e6},
                                        {"GB/s", bits_a_byte * 1e9}};
    static const std::vector<unit> time{{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}};
    static const std::vector<unit> frequency{{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}};
    static const std::vector<unit> compute{{"FLOP/s", 1},    {"kFLOP/s", 1e3},  {"MFLOP/s", 1e6},
                                           {"GFLOP/s", 1e9}, {"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}};
    static const std::vector<unit> power{{"mW", 1e-3}, {"W", 1}, {"kW", 1e3}, {dbm, 1}};
    static const std::vector<unit> energy{{"uJ", 1e-6}, {"mJ", 1e-3}, {"J", 1},
                                          {"kJ", 1e3},  {"mWh", 3.6}, {"Wh", 3600}};
    static const std::vector<unit> size{{"B", 1},      {"kB", 1e3},        {"MB", 1e6},          {"GB", 1e9},
                                        {"KiB", 1024}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
    static const std::vector<unit> length{{"mm", 1e-3}, {"cm", 1e-2}, {"m", 1}, {"km", 1e3}};
    static const std::vector<unit> speed{{"m/s", 1}, {"km/h", 1.0 / 3.6}};
    static const std::vector<unit> decibel{{"dB", 1}, {"dBi", 1}};
    static const std::vector<unit> energy_per_bit{
        {"pJ/bit", 1e-12}, {"nJ/bit", 1e-9}, {"uJ/bit", 1e-6}, {"mJ/bit", 1e-3}, {"J/bit", 1}};
    switch (what) {
    case dimension::number: return none;
    case dimension::rate: return rate;
    case dimension::time: return time;
    case dimension::frequency: return frequency;
    case dimension::compute_rate: return compute;
    case dimension::power: return power;
    case dimension::energy: return energy;
    case dimension::size: return size;
    case dimension::length: return length;
    case dimension::speed: return speed;
    case dimension::decibel: return decibel;
    case dimension::energy_per_bit: return energy_per_bit;
    }
    return none;
}

/// Splits "50 Mbit/s" into number and unit.
std::pair<double, std::string_view> number_and_unit(std::string_view text) {
    text = trimmed(text);
    double value = 0.0;
    const auto* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [end, code] = std::from_chars(begin, text.data() + text.size(), value);
    if (code != std::errc{} || !std::isfinite(value)) {
        throw usage_error("\"" + std::string(text) + "\" is not a finite number");
    }
    return {value, trimmed(text.substr(static_cast<std::size_t>(end - text.data())))};
}

double to_si(double value, std::string_view name, dimension what) {
    if (name.empty()) {
        if (what == dimension::number || value == 0.0) {
            return value;
        }
        throw usage_error("a unit is missing; accepted: " + accepted_units(what));
    }
    if (name == "%" && what == dimension::number) {
        return value / 100.0;
    }
    for (const auto& one : units_of(what)) {
        if (name == one.name) {
            const auto result = name == dbm ? watts(value) : value * one.factor;
            if (!std::isfinite(result) || (result == 0.0 && value != 0.0)) {
                throw usage_error("the value is too " + std::string(result == 0.0 ? "small" : "large") +
                                  " to be computed with");
            }
            return result;
        }
    }
    std::string message = "unknown unit \"" + std::string(name) + "\"";
    const unit* nearest = nullptr;
    std::size_t least = 3; // suggests a unit for up to two typos
    for (const auto& one : units_of(what)) {
        const auto distance = edit_distance(name, one.name);
        if (distance < least) {
            least = distance;
            nearest = &one;
        }
    }
    if (const auto bps = name.find("bps"); bps != std::string_view::npos && bps + 3 == name.size()) {
        for (const auto& one : units_of(what)) { // Mbps means Mbit/s
            if (one.name == std::string(name.substr(0, bps)) + "bit/s") {
                nearest = &one;
            }
        }
    }
    if (nearest) {
        message += ", did you mean " + std::string(nearest->name) + "?";
    }
    throw usage_error(message + (nearest ? " Accepted: " : "; accepted: ") +
                      (what == dimension::number ? "no unit" : accepted_units(what)));
}

} // namespace

std::string accepted_units(dimension what) {
    std::string text;
    for (const auto& one : units_of(what)) {
        text += (text.empty() ? "" : ", ") + std::string(one.name);
    }
    return text;
}

double parse_quantity(std::string_view text, dimension what) {
    const auto [value, name] = number_and_unit(text);
    return to_si(value, name, what);
}

/// The numbers in a file, separated by whitespace or lines, without comments (#).
std::vector<double> numbers_of(const std::string& path) {
    auto in = open_input(path);
    std::vector<double> numbers;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        for (std::string word; words >> word;) {
            const auto [value, rest] = number_and_unit(word);
            if (!rest.empty()) {
                throw usage_error(path + ": \"" + word + "\" is not a number; the unit stands behind file(...)");
            }
            numbers.push_back(value);
        }
    }
    if (numbers.empty()) {
        throw usage_error(path + " has no numbers");
    }
    return numbers;
}

distribution parse_distribution(std::string_view text, dimension what) {
    text = trimmed(text);
    distribution out;
    out.text = text;
    constexpr std::pair<std::string_view, distribution::family> families[] = {
        {"uniform(", distribution::family::uniform},
        {"choice(", distribution::family::choice},
        {"normal(", distribution::family::normal},
        {"file(", distribution::family::choice},
    };
    const auto family = std::find_if(std::begin(families), std::end(families),
                                     [&](const auto& one) { return text.starts_with(one.first); });
    if (family == std::end(families)) {
        out.parameters = {parse_quantity(text, what)};
        return out;
    }
    const auto open = family->first.size();
    const auto close = family->first == "file(" ? text.rfind(')') : text.find(')'); // a path may contain parentheses
    if (close == std::string_view::npos) {
        throw usage_error("\")\" is missing in \"" + std::string(text) + "\"");
    }
    const auto name = trimmed(text.substr(close + 1));
    auto list = text.substr(open, close - open);
    out.kind = family->second;
    out.parameters.clear();
    // A distribution in a logarithmic unit applies to logarithms: normal(23, 6) dBm has a deviation of 6 dB.
    out.in_dbm = what == dimension::power && name == dbm && family->first != "choice(" && family->first != "file(";
    if (family->first == "file(") {
        for (const double value : numbers_of(std::string(trimmed(list)))) {
            out.parameters.push_back(to_si(value, name, what));
        }
        return out;
    }
    for (;;) {
        const auto comma = list.find(',');
        const auto [value, extra] = number_and_unit(list.substr(0, comma));
        if (!extra.empty()) {
            throw usage_error("\"" + std::string(extra) +
                              "\": the unit of a distribution stands behind its parenthesis");
        }
        const double in_si = to_si(value, name, what);
        out.parameters.push_back(out.in_dbm ? value : in_si);
        if (comma == std::string_view::npos) {
            break;
        }
        list = list.substr(comma + 1);
    }
    if (out.kind == distribution::family::uniform &&
        (out.parameters.size() != 2 || out.parameters[0] > out.parameters[1])) {
        throw usage_error("uniform takes two numbers, the lower first: uniform(0.2, 2) UNIT");
    }
    if (out.kind == distribution::family::normal && (out.parameters.size() != 2 || out.parameters[1] < 0.0)) {
        throw usage_error("normal takes mean and standard deviation: normal(5, 1) UNIT");
    }
    return out;
}

} // namespace gaisnet
