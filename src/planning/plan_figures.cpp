#include "planning/plan_figures.hpp"

#include <algorithm>
#include <limits>

namespace gaisnet {

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
