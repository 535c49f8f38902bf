#include "planning/advice.hpp"

#include "planning/request_forecast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
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

constexpr const char* fewer_requests = "fewer requests (infer.rate), ";
constexpr remedy request_remedies[] = {
    {"queue",
     "more batches under way (infer.in_flight), larger ones (infer.batch), or cuts that spread the work (gaisnet "
     "plan --service infer --optimise split)"},
    {"delivery", "models that are there before the first request (delivery = none), or a faster link.cs_down"},
    {"d2d", "other cuts (gaisnet plan --service infer --optimise split,order), or faster link.d2d"},
    {"cs_smashed", "the edge as no stage (cluster.edge_stage), or faster link.cs_up and link.cs_down"},
    {"compute", "shares that fit the devices (split.blocks = auto), or faster device.client"},
    {"edge", "fewer blocks at the edge (cluster.edge_stage), or a faster device.edge"},
    {"sensing", "a shorter sense.time"},
};

/// What a part calls for, as a line; empty where nothing is known. \param before what comes first
std::string to_try(std::string_view part, std::span<const remedy> known, const char* before = "") {
    const auto found = std::find_if(known.begin(), known.end(), [&](const remedy& one) { return one.part == part; });
    return found == known.end() ? std::string() : fmt::format("  to try: {}{}\n", before, found->text);
}

std::string_view largest_part(const latency_parts& sum) {
    std::string_view largest;
    double most = 0.0;
    for (const auto* part : latency_parts::parts()) {
        if (sum[part->name] > most) {
            most = sum[part->name];
            largest = part->name;
        }
    }
    return largest;
}

double change(double now, double before) {
    constexpr double shown = 0.05; // less is written as +0.0
    const double percent = before > 0.0 ? 100.0 * (now / before - 1.0) : 0.0;
    return std::abs(percent) < shown ? 0.0 : percent;
}

constexpr std::uint64_t most_events = 200'000; ///< Of what is played again with other values.

/// The assumptions whose half changes latency or energy by a per cent or more, the strongest first.
std::string decisive_assumptions(const settings& values, double latency_s, const energy_parts& energy,
                                 std::span<const sensitivity> all) {
    constexpr double enough = 1.0;
    constexpr std::size_t most = 6;
    struct line {
        std::string key;
        double latency, energy; ///< Per cent.
        double strength() const { return std::max(std::abs(latency), std::abs(energy)); }
    };
    std::vector<line> lines;
    for (const auto& one : all) {
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
    latency_parts sum;
    for (const auto& row : found.rounds) {
        sum += row.parts;
    }
    const auto text =
        "What decided the latency\n  " + bottleneck(deploy_, found) + "\n" + to_try(largest_part(sum), remedies);
    if (events_ > most_events) {
        return text + "  gaisnet plan tells what other rates and speeds would change\n";
    }
    const auto [latency_s, energy] = totals_of(found.rounds);
    return text + decisive_assumptions(values, latency_s, energy, halve_each(deploy_, rounds_));
}

std::string request_advice(const deployment& deploy, const inference_plan& session, const inference_forecast& found,
                           const settings& values) {
    const auto obstacle = request_bottleneck(deploy, found);
    const bool may_be_rarer = obstacle.part == "queue" && deploy.scene->infer.arrivals == arrival_kind::poisson;
    const auto text = "What decided the latency\n  " + obstacle.text + "\n" +
                      to_try(obstacle.part, request_remedies, may_be_rarer ? fewer_requests : "");
    if (found.events.size() > most_events) {
        return text + "  gaisnet plan --service infer tells what other rates and speeds would change\n";
    }
    const auto [latency_s, energy] = mean_of_requests(found);
    return text + decisive_assumptions(values, latency_s, energy, halve_each_for_requests(deploy, session));
}

std::vector<std::string> all_remedies() {
    std::vector<std::string> all{fewer_requests};
    for (const auto& one : remedies) {
        all.emplace_back(one.text);
    }
    for (const auto& one : request_remedies) {
        all.emplace_back(one.text);
    }
    return all;
}

} // namespace gaisnet
