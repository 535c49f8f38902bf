#include "planning/measured_tunings.hpp"

#include "base/text.hpp"
#include "base/words.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace gaisnet {

namespace {

bool weighs(const measured_tunings& all, plan_metric metric) {
    return std::any_of(all.objective.weights.begin(), all.objective.weights.end(),
                       [&](const auto& term) { return term.first == metric; });
}

/// What became of a candidate, in a word.
std::string fate_of(const measured_tunings& all, std::size_t index) {
    const auto& one = all.tried[index];
    if (!one.failure.empty()) {
        return one.rungs.empty() ? "does not fit" : "diverged";
    }
    return index == all.chosen ? "chosen" : "dropped";
}

/// "61.25 70.00 %": accuracies after the rungs.
std::string accuracies(const measured_tuning& one) {
    std::string text;
    for (const auto& rung : one.rungs) {
        text += text.empty() ? "" : " ";
        text += std::isfinite(rung.accuracy) ? fmt::format("{:.2f}", 100.0 * rung.accuracy) : "-";
    }
    return text.empty() ? "-" : text + " %";
}

std::string rule_text(const measured_tunings& all) {
    std::string cost = "latency";
    if (all.objective.weights.size() > 1) {
        cost = all.objective.text + ", each relative to the least";
    } else if (!weighs(all, plan_metric::goodput)) {
        cost = name_in(plan_metric_words, all.objective.weights.front().first);
    }
    if (all.target) {
        return fmt::format(
            "Compared by {} until the validation accuracy is {:.2f} %; those that have not reached it, by the "
            "accuracy of their last round",
            cost, 100.0 * *all.target);
    }
    return "Compared by the best validation accuracy so far, equal ones by " + cost +
           "; equal rounds take unequal time and energy";
}

} // namespace

double cost_of(const measured_tuning& one, plan_metric metric) {
    if (one.rungs.empty()) {
        return std::numeric_limits<double>::infinity();
    }
    const auto& last = one.rungs.back();
    switch (metric) {
    case plan_metric::energy: return last.energy_j;
    case plan_metric::spectrum: return last.spectrum_hz_s;
    case plan_metric::memory: return one.memory_bytes;
    case plan_metric::latency:
    case plan_metric::goodput: break;
    }
    return last.latency_s;
}

std::vector<trial_score> scores_of(const measured_tunings& all, const std::vector<std::size_t>& which) {
    std::vector<trial_score> scores;
    for (const auto index : which) {
        const auto& one = all.tried[index];
        auto& score = scores.emplace_back();
        score.failed = !one.failure.empty();
        if (score.failed) {
            continue;
        }
        score.reached = one.reached;
        score.accuracy = all.target ? one.rungs.back().accuracy : one.rungs.back().best_accuracy;
    }
    const bool single = all.objective.weights.size() == 1;
    for (const auto& [metric, weight] : all.objective.weights) {
        double least = std::numeric_limits<double>::infinity();
        for (const auto index : which) {
            least = all.tried[index].failure.empty() ? std::min(least, cost_of(all.tried[index], metric)) : least;
        }
        for (std::size_t i = 0; i < which.size(); ++i) {
            if (!scores[i].failed) {
                const double unit = single || least <= 0.0 ? 1.0 : least;
                scores[i].cost += (single ? 1.0 : weight) * cost_of(all.tried[which[i]], metric) / unit;
            }
        }
    }
    return scores;
}

std::string measured_text(const measured_tunings& all) {
    const bool spectrum = weighs(all, plan_metric::spectrum);
    std::size_t name_width = 6, accuracy_width = 10;
    for (const auto& one : all.tried) {
        name_width = std::max(name_width, one.choice.name().size());
        accuracy_width = std::max(accuracy_width, accuracies(one).size());
    }
    const auto percent = [](double part) { return std::isfinite(part) ? fmt::format("{:.2f} %", 100.0 * part) : "-"; };
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "Tuning methods, trained; the better half goes on after every {}\n",
                   all.rounds_a_rung == 1 ? "round" : fmt::format("{} rounds", all.rounds_a_rung));
    fmt::format_to(out, "  {:<{}}{:>11}{:>12}{:>8}  {:<{}}{:>10}{:>11}{:>11}{}{:>11}{:>9}\n", "", name_width + 2,
                   "trainable", "up a round", "rounds", "accuracy", accuracy_width, "best", "latency", "energy",
                   spectrum ? "      spectrum" : "", "memory", "wall");
    for (std::size_t i = 0; i < all.tried.size(); ++i) {
        const auto& one = all.tried[i];
        fmt::format_to(out, "  {} {:<{}}", i == all.chosen ? '*' : ' ', one.choice.name(), name_width);
        if (one.rungs.empty()) {
            fmt::format_to(out, "  {}\n", one.failure);
            continue;
        }
        const auto& last = one.rungs.back();
        fmt::format_to(out, "{:>11}{:>12}{:>8}  {:<{}}{:>10}{:>11}{:>11}{}{:>11}{:>9}  ", one.parameters,
                       quantity(one.upload_bytes, "B"), last.rounds, accuracies(one), accuracy_width,
                       percent(last.best_accuracy), quantity(last.latency_s, "s"), quantity(last.energy_j, "J"),
                       spectrum ? fmt::format("{:>14}", quantity(last.spectrum_hz_s, "Hz*s")) : std::string(),
                       quantity(one.memory_bytes, "B"), fmt::format("{:.1f} s", last.wall_s));
        fmt::format_to(out, "{}{}\n", one.reached ? fmt::format("target in round {}; ", last.rounds) : std::string(),
                       !one.failure.empty() ? one.failure
                       : i == all.chosen    ? std::string("chosen")
                                            : fmt::format("dropped in rung {}", one.dropped));
    }
    return text + rule_text(all) + "\n";
}

nlohmann::ordered_json measured_json(const measured_tunings& all) {
    using json = nlohmann::ordered_json;
    json root;
    root["rounds_a_rung"] = all.rounds_a_rung;
    root["objective"] = all.objective.text;
    root["target"] = all.target ? json(*all.target) : json(nullptr);
    root["chosen"] = all.tried[all.chosen].choice.name();
    root["tunings"] = json::array();
    for (std::size_t i = 0; i < all.tried.size(); ++i) {
        const auto& one = all.tried[i];
        json entry{{"name", one.choice.name()},
                   {"method", one.choice.method},
                   {"size", one.choice.size},
                   {"outcome", fate_of(all, i)},
                   {"parameters", one.parameters},
                   {"upload_bytes_a_round", one.upload_bytes},
                   {"memory_bytes", one.memory_bytes},
                   {"rounds", one.rounds()},
                   {"dropped_in_rung", one.dropped > 0 ? json(one.dropped) : json(nullptr)},
                   {"failure", one.failure.empty() ? json(nullptr) : json(one.failure)},
                   {"to_target", nullptr},
                   {"rungs", json::array()}};
        for (const auto& rung : one.rungs) {
            entry["rungs"].push_back({{"rounds", rung.rounds},
                                      {"accuracy", rung.accuracy},
                                      {"best_accuracy", rung.best_accuracy},
                                      {"loss", rung.loss},
                                      {"latency_s", rung.latency_s},
                                      {"energy_j", rung.energy_j},
                                      {"spectrum_hz_s", rung.spectrum_hz_s},
                                      {"wall_s", rung.wall_s}});
        }
        if (one.reached) {
            const auto& last = one.rungs.back();
            entry["to_target"] = {{"rounds", last.rounds}, {"latency_s", last.latency_s}, {"energy_j", last.energy_j}};
        }
        root["tunings"].push_back(std::move(entry));
    }
    return root;
}

std::vector<tuning_row> tuning_rows(const measured_tunings& all) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    std::vector<tuning_row> rows;
    for (std::size_t i = 0; i < all.tried.size(); ++i) {
        const auto& one = all.tried[i];
        tuning_row row;
        row.tuning = one.choice.name();
        row.parameters = static_cast<std::uint64_t>(one.parameters);
        row.memory_bytes = one.memory_bytes;
        row.upload_bytes = one.upload_bytes;
        if (one.rungs.empty()) {
            row.outcome = fate_of(all, i);
            row.accuracy = row.best_accuracy = row.loss = row.latency_s = row.energy_j = row.spectrum_hz_s = unknown;
            row.memory_bytes = row.upload_bytes = unknown;
            rows.push_back(row);
        }
        for (const auto& rung : one.rungs) {
            const bool is_last = &rung == &one.rungs.back();
            ++row.rung;
            row.rounds = static_cast<std::uint32_t>(rung.rounds);
            row.accuracy = rung.accuracy;
            row.best_accuracy = rung.best_accuracy;
            row.loss = rung.loss;
            row.latency_s = rung.latency_s;
            row.energy_j = rung.energy_j;
            row.spectrum_hz_s = rung.spectrum_hz_s;
            row.wall_s = rung.wall_s;
            row.reached = is_last && one.reached;
            row.outcome = is_last ? fate_of(all, i) : "goes on";
            rows.push_back(row);
        }
    }
    return rows;
}

} // namespace gaisnet
