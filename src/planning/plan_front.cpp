#include "planning/plan_front.hpp"

#include "base/text.hpp"
#include "planning/plan_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gaisnet {

namespace {

/// Weights of the first metric; the second one has the rest.
constexpr double front_weights[] = {1.0, 0.98, 0.9, 0.75, 0.5, 0.25, 0.1, 0.02, 0.0};

bool same_figures(const plan_figures& a, const plan_figures& b) {
    return a.latency_s == b.latency_s && a.energy_j == b.energy_j && a.spectrum_hz_s == b.spectrum_hz_s &&
           a.memory_bytes == b.memory_bytes;
}

bool dominates(const plan_figures& a, const plan_figures& b, plan_metric first, plan_metric second) {
    const double a1 = value_of(a, first), a2 = value_of(a, second), b1 = value_of(b, first), b2 = value_of(b, second);
    return a1 <= b1 && a2 <= b2 && (a1 < b1 || a2 < b2);
}

} // namespace

plan_front front_of(const scenario& scene, const std::shared_ptr<const tuning_method>& method,
                    const std::vector<domain_size>& sizes, const client_data& data, plan_metric first,
                    plan_metric second) {
    plan_front out{first, second, {}};
    const auto add = [&](const std::string& label, const plan_figures& figures) {
        const bool known = std::any_of(out.plans.begin(), out.plans.end(),
                                       [&](const auto& other) { return same_figures(other.figures, figures); });
        if (!known && figures.fits()) {
            out.plans.push_back({label, figures, false});
        }
    };
    const std::string one = name_in(plan_metric_words, first), other = name_in(plan_metric_words, second);
    for (const double weight : front_weights) {
        auto weighted = scene;
        auto& objective = weighted.plan.objective;
        objective.text = weight == 1.0   ? one
                         : weight == 0.0 ? other
                                         : fmt::format("{} {:g}, {} {:g}", one, weight, other, 1.0 - weight);
        objective.weights.clear();
        if (weight > 0.0) {
            objective.weights.emplace_back(first, weight);
        }
        if (weight < 1.0) {
            objective.weights.emplace_back(second, 1.0 - weight);
        }
        const auto plan = make_plan(weighted, method, sizes, data);
        if (out.plans.empty()) {
            add("as given", plan.given);
            for (const auto& baseline : plan.compared) {
                add(baseline.name, baseline.figures);
            }
        }
        add(objective.text, plan.planned);
    }
    for (auto& plan : out.plans) {
        plan.on_front = std::none_of(out.plans.begin(), out.plans.end(), [&](const auto& rival) {
            return dominates(rival.figures, plan.figures, first, second);
        });
    }
    std::stable_sort(out.plans.begin(), out.plans.end(), [&](const auto& a, const auto& b) {
        return value_of(a.figures, first) < value_of(b.figures, first);
    });
    return out;
}

std::string front_text(const plan_front& front) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "Pareto front of {} and {} (*)\n", name_in(plan_metric_words, front.first),
                   name_in(plan_metric_words, front.second));
    for (const auto& plan : front.plans) {
        fmt::format_to(out, "  {} {:<30}{:>14}{:>14}\n", plan.on_front ? '*' : ' ', plan.label,
                       metric_text(plan.figures, front.first), metric_text(plan.figures, front.second));
    }
    return text;
}

} // namespace gaisnet
