#include "planning/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

struct remedy {
    std::string_view part; ///< Of a round's latency.
    const char* text;
};

constexpr remedy remedies[] = {
    {"d2d", "other cuts or micro-batches (gaisnet plan --optimise split,schedule,micro_batches), or faster link.d2d"},
    {"cs_smashed", "the edge as another stage or as none (cluster.edge_stage), or faster link.cs_up and link.cs_down"},
    {"compute", "shares that fit the devices (split.blocks = auto), micro-batches (train.schedule = 1f1b), or faster "
                "device.client"},
    {"edge", "fewer blocks at the edge (cluster.edge_stage), or a faster device.edge"},
    {"delivery", "a method that tunes less (tuning.method), or a faster link.cs_down"},
    {"upload", "a method that tunes less (tuning.method), more epochs a round (train.epochs), or a faster link.cs_up"},
    {"sensing", "fewer samples (data.per_cluster), or a shorter sense.time"},
    {"wait", "an earlier end of rounds (round.wait)"},
    {"cloud", "fewer federations (cloud.period), or a faster link.backhaul"},
};

/// What the largest part of the rounds' latencies calls for; empty where nothing is known.
std::string remedy_of(const forecast& found) {
    latency_parts sum;
    for (const auto& row : found.rounds) {
        sum += row.parts;
    }
    std::string_view largest;
    double most = 0.0;
    for (const auto* part : latency_parts::parts()) {
        if (sum[part->name] > most) {
            most = sum[part->name];
            largest = part->name;
        }
    }
    const auto* known =
        std::find_if(std::begin(remedies), std::end(remedies), [&](const remedy& one) { return one.part == largest; });
    return known == std::end(remedies) ? std::string() : known->text;
}

double change(double now, double before) { return before > 0.0 ? 100.0 * (now / before - 1.0) : 0.0; }

} // namespace

void advisor::add(const round_forecast& round) {
    if (rounds_ < most_rounds) {
        sums_.add(round);
        events_ += round.events.size();
        ++rounds_;
    }
}

std::string advisor::text(const settings& values) {
    if (rounds_ == 0) {
        return {};
    }
    const auto found = sums_.take();
    auto text = "What decided the latency\n  " + bottleneck(deploy_, found) + "\n";
    if (const auto advice = remedy_of(found); !advice.empty()) {
        text += "  to try: " + advice + "\n";
    }
    return text + (events_ <= most_events ? decisive_assumptions(values, found)
                                          : "  gaisnet plan tells what other rates and speeds would change\n");
}

/// Those whose half changes latency or energy by a per cent or more, the strongest first.
std::string advisor::decisive_assumptions(const settings& values, const forecast& found) const {
    constexpr double enough = 1.0;
    constexpr std::size_t most = 6;
    struct line {
        std::string key;
        double latency, energy; ///< Per cent.
        double strength() const { return std::max(std::abs(latency), std::abs(energy)); }
    };
    const auto [latency_s, energy] = totals_of(found.rounds);
    std::vector<line> lines;
    for (const auto& one : halve_each(deploy_, rounds_)) {
        const auto its = values.find(one.name);
        if (its != values.end() && its->second.source == "default (assumed)") {
            lines.push_back(
                {one.name, change(one.latency_s, latency_s), change(one.energy.total_j(), energy.total_j())});
        }
    }
    std::erase_if(lines, [](const line& one) { return one.strength() < enough; });
    std::stable_sort(lines.begin(), lines.end(),
                     [](const line& a, const line& b) { return a.strength() > b.strength(); });
    lines.resize(std::min(lines.size(), most));
    if (lines.empty()) {
        return {};
    }
    auto text =
        fmt::format("Your result rests on these assumptions; half of a value would change\n  {:<36}{:>12}{:>12}\n", "",
                    "latency", "energy");
    for (const auto& one : lines) {
        text += fmt::format("  {:<36}{:>+10.1f} %{:>+10.1f} %\n", one.key + " = " + values.at(one.key).value,
                            one.latency, one.energy);
    }
    return text;
}

} // namespace gaisnet
