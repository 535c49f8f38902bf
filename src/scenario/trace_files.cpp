#include "scenario/scenario.hpp"

#include "base/csv.hpp"
#include "base/error.hpp"
#include "settings/quantity.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace gaisnet {

namespace {

/// Parses a value with a unit, or without one in the SI unit.
double value_of(const csv_line& line, std::size_t cell, dimension what) {
    const auto& text = line.cells.at(cell);
    double plain = 0.0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), plain);
    try {
        const bool is_plain = code == std::errc{} && end == text.data() + text.size();
        if (is_plain && !std::isfinite(plain)) {
            throw usage_error("\"" + text + "\" is not a finite number");
        }
        return is_plain ? plain : parse_quantity(text, what);
    } catch (const usage_error& problem) {
        throw usage_error(line.where + ": " + problem.what());
    }
}

/// Reads Mahimahi's format: the times at which one packet can be sent.
std::shared_ptr<const rate_trace> from_chances(const std::vector<csv_line>& lines) {
    constexpr double packet_bits = 1500 * 8, milli = 1e-3;
    constexpr std::int64_t longest_ms = 100'000'000; // more than a day
    std::map<std::int64_t, int> chances;             // number of chances, by millisecond
    std::int64_t before = 0;
    for (const auto& line : lines) {
        std::int64_t time = -1;
        const auto& text = line.cells[0];
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), time);
        if (line.cells.size() != 1 || code != std::errc{} || end != text.data() + text.size() || time < before ||
            time > longest_ms) {
            throw usage_error(line.where +
                              ": whole milliseconds, ascending, at most 1e8, are accepted (Mahimahi's format), or "
                              "\"time, rate\" in every line");
        }
        before = time;
        ++chances[std::max<std::int64_t>(time, 1)];
    }
    // A chance at t ms belongs to the millisecond that ends then, so that the trace ends with its last chance.
    auto trace = std::make_shared<rate_trace>();
    const auto add = [&](double from_ms, double rate) {
        if (trace->bits_per_second.empty() || trace->bits_per_second.back() != rate) {
            trace->times.push_back(from_ms * milli);
            trace->bits_per_second.push_back(rate);
        }
    };
    std::int64_t done = 0;
    for (const auto& [time, count] : chances) {
        if (time - 1 > done) {
            add(static_cast<double>(done), 0.0);
        }
        add(static_cast<double>(time - 1), count * packet_bits / milli);
        done = time;
    }
    trace->period_s = static_cast<double>(done) * milli;
    return trace;
}

} // namespace

std::shared_ptr<const rate_trace> read_rate_trace(const std::string& path) {
    const auto lines = read_csv(path);
    if (!lines.empty() && lines.front().cells.size() == 1) {
        return from_chances(lines);
    }
    auto trace = std::make_shared<rate_trace>();
    for (const auto& line : lines) {
        if (&line == &lines.front() && is_header(line, {"time", "time_s", "rate", "rate_bit_s"})) {
            continue;
        }
        if (line.cells.size() != 2) {
            throw usage_error(line.where + ": \"time, rate\" is accepted, for example \"0, 20 Mbit/s\"");
        }
        const double time = value_of(line, 0, dimension::time), rate = value_of(line, 1, dimension::rate);
        if (trace->times.empty() ? time != 0.0 : !(time > trace->times.back())) {
            throw usage_error(line.where + ": times begin at 0 and ascend");
        }
        if (!(rate >= 0.0)) {
            throw usage_error(line.where + ": a rate of at least 0 is accepted");
        }
        trace->times.push_back(time);
        trace->bits_per_second.push_back(rate);
    }
    if (trace->times.empty()) {
        throw usage_error(path + " has no line with \"time, rate\"");
    }
    if (trace->bits_per_second.back() == 0.0) {
        throw usage_error(path + ": the last rate stays for ever and must be above 0");
    }
    return trace;
}

std::shared_ptr<const recorded_paths> read_paths(const std::string& path) {
    auto paths = std::make_shared<recorded_paths>();
    const auto lines = read_csv(path);
    for (const auto& line : lines) {
        if (&line == &lines.front() && is_header(line, {"node", "time", "time_s", "x", "x_m", "y", "y_m"})) {
            continue;
        }
        if (line.cells.size() != 4) {
            throw usage_error(line.where +
                              ": \"node, time, x, y\" is accepted, for example \"c0.1, 2.5 s, 10 m, 4 m\"");
        }
        auto& points = (*paths)[line.cells[0]];
        const double time = value_of(line, 1, dimension::time);
        if (!points.empty() && !(time > points.back().first)) {
            throw usage_error(line.where + ": the times of a node ascend");
        }
        points.emplace_back(time, position{value_of(line, 2, dimension::length), value_of(line, 3, dimension::length)});
    }
    return paths;
}

std::shared_ptr<const request_trace> read_request_trace(const std::string& path) {
    auto trace = std::make_shared<request_trace>();
    const auto lines = read_csv(path);
    for (const auto& line : lines) {
        const auto cells = line.cells.size();
        if (&line == &lines.front() && is_header(line, {"client", "requester", "time", "time_s", "arrival_s"})) {
            continue;
        }
        if (cells != 1 && cells != 2) {
            throw usage_error(line.where + ": \"time\" or \"client, time\" is accepted, for example \"c0.0, 2.5 s\"");
        }
        const auto& client = cells == 2 ? line.cells[0] : std::string();
        if (cells == 2 && client.empty()) {
            throw usage_error(line.where + ": it names no client; \"time\" alone is of all of them");
        }
        if (!trace->empty() && trace->contains("") != client.empty()) {
            throw usage_error(line.where + ": either all lines name a client, or none does");
        }
        const double time = value_of(line, cells - 1, dimension::time);
        auto& times = (*trace)[client];
        if (time < 0.0 || (!times.empty() && time < times.back())) {
            throw usage_error(line.where + ": times of at least 0, ascending, are accepted");
        }
        times.push_back(time);
    }
    if (trace->empty()) {
        throw usage_error(path + " has no line with a time");
    }
    return trace;
}

} // namespace gaisnet
