#include "planning/plan_figures.hpp"

#include <algorithm>
#include <limits>

namespace gaisnet {

plan_figures over_rounds(const plan_figures& first, const plan_figures& later, int rounds) {
    plan_figures sum = first;
    const auto more = static_cast<double>(rounds - 1);
    for (const auto figure : {&plan_figures::latency_s, &plan_figures::energy_j, &plan_figures::spectrum_hz_s,
                              &plan_figures::useful, &plan_figures::span_s}) {
        sum.*figure += more * later.*figure;
    }
    sum.memory_bytes = std::max(first.memory_bytes, later.memory_bytes);
    sum.cut = std::max(first.cut, later.cut);
    return sum;
}

double value_of(const plan_figures& figures, plan_metric metric) {
    switch (metric) {
    case plan_metric::latency: return figures.latency_s;
    case plan_metric::energy: return figures.energy_j;
    case plan_metric::spectrum: return figures.spectrum_hz_s;
    case plan_metric::memory: return figures.memory_bytes;
    case plan_metric::goodput: break;
    }
    const double goodput = figures.goodput();
    return goodput > 0.0 ? 1.0 / goodput : std::numeric_limits<double>::infinity();
}

double value_of(const plan_figures& figures, const plan_objective& objective, const plan_figures& given) {
    if (!figures.fits()) {
        return std::numeric_limits<double>::infinity();
    }
    if (objective.weights.size() == 1) {
        return value_of(figures, objective.weights.front().first);
    }
    double sum = 0.0;
    for (const auto& [metric, weight] : objective.weights) {
        const double unit = value_of(given, metric);
        sum += weight * value_of(figures, metric) / (unit > 0.0 ? unit : 1.0);
    }
    return sum;
}

bool better(const plan_figures& a, const plan_figures& b, const plan_objective& objective, const plan_figures& given) {
    const auto missing = [](const plan_figures& one) {
        return one.obstacle.empty() ? std::max(0.0, one.excess_bytes) : std::numeric_limits<double>::infinity();
    };
    if (missing(a) != missing(b)) {
        return missing(a) < missing(b);
    }
    if (a.cut != b.cut) {
        return a.cut < b.cut;
    }
    constexpr double rounding = 1e-9;
    return value_of(a, objective, given) < value_of(b, objective, given) * (1.0 - rounding);
}

} // namespace gaisnet
