#pragma once

#include "planning/successive_halving.hpp"
#include "results/rows.hpp"
#include "scenario/planning.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// What a candidate has come to after a rung, since its first round.
struct measured_rung {
    int rounds = 0;
    double accuracy = 0, loss = 0; ///< Validation, after the last round.
    double best_accuracy = 0;      ///< Of all rounds.
    double latency_s = 0, energy_j = 0, spectrum_hz_s = 0;
    double wall_s = 0; ///< Of this computer.
};

/// A tuning method that has been tried.
struct measured_tuning {
    tuning_choice choice;
    std::int64_t parameters = 0;        ///< Trainable, head included; of several domains the largest model's.
    double memory_bytes = 0;            ///< Of the client that needs most.
    double upload_bytes = 0;            ///< Over CS uplinks in a round, mean.
    std::vector<measured_rung> rungs{}; ///< Empty: it was not trained.
    bool reached = false;               ///< It has reached the target, with the last round of its last rung.
    int dropped = 0;       ///< The rung, from 1, after which it was dropped; 0: it is the one that is left.
    std::string failure{}; ///< Why it cannot be chosen at all; empty: it can.

    int rounds() const { return rungs.empty() ? 0 : rungs.back().rounds; }
};

/// All tuning methods that have been tried, and the one that was left.
struct measured_tunings {
    int rounds_a_rung = 0;
    plan_objective objective;           ///< What those that have reached the target are compared by.
    std::optional<double> target;       ///< Validation accuracy of train.stop = target.
    std::vector<measured_tuning> tried; ///< In the order of plan.tunings.
    std::size_t chosen = 0;
};

/// What a metric of the objective has cost a candidate so far. Of goodput, the time.
double cost_of(const measured_tuning&, plan_metric);

/// Scores of some candidates: with a target the accuracy after their last round counts, without one the best. Of a weighted
/// objective each metric is relative to the least of these candidates.
std::vector<trial_score> scores_of(const measured_tunings&, const std::vector<std::size_t>& which);

/// A table of all that was tried.
std::string measured_text(const measured_tunings&);
/// The same, with values in SI units.
nlohmann::ordered_json measured_json(const measured_tunings&);
/// Rows of /plan/tunings.
std::vector<tuning_row> tuning_rows(const measured_tunings&);

} // namespace gaisnet
