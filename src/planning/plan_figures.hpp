#pragma once

#include "scenario/planning.hpp"

#include <string>

namespace gaisnet {

/// What a plan costs and brings in: a round of fine-tuning (delivery and upload included), or a session of inference at
/// the scenario's load. Energy and spectrum of a session are divided by its requests.
struct plan_figures {
    double latency_s = 0; ///< Of the slowest edge's round; mean of the requests, with what they wait.
    double energy_j = 0;  ///< Of edges and clients, idle radios and base power included.
    double spectrum_hz_s = 0;
    double memory_bytes = 0; ///< Of the client that needs most.
    double useful = 0;       ///< Useful samples (see client_data) of a round; requests of a session.
    double span_s = 0;       ///< In which these are done: the round, or the session.
    /// Clusters that have not finished when the edge closes the round (round.wait). Of a session: start points fewer than
    /// the scenario has, since each brings requests.
    int cut = 0;
    double excess_bytes = 0; ///< Memory that clients need beyond what they have, summed: above 0 the plan does not fit.
    std::string obstacle{};  ///< Why it cannot be formed at all; empty: it can.

    double goodput() const { return span_s > 0.0 ? useful / span_s : 0.0; }
    bool fits() const { return obstacle.empty() && excess_bytes <= 0.0; }
};

/// Figures of several rounds of which the first differs: sums, and the largest memory.
plan_figures over_rounds(const plan_figures& first, const plan_figures& later, int rounds);

double value_of(const plan_figures&, plan_metric);

/// The value that is to be small: of one metric itself (of goodput its reciprocal), of several the sum of weight x metric
/// / the same metric of `given`. Infinite for a plan that does not fit.
double value_of(const plan_figures&, const plan_objective&, const plan_figures& given);

/// Whether `a` is better than `b`: less is missing; or fewer clusters are cut; or it is smaller in value, by more than
/// rounding.
bool better(const plan_figures& a, const plan_figures& b, const plan_objective&, const plan_figures& given);

} // namespace gaisnet
