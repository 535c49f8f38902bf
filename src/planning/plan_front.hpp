#pragma once

#include "planning/plan_search.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// Plans between two objectives.
struct plan_front {
    struct entry {
        std::string label; ///< "latency 0.8, energy 0.2"
        plan_figures figures;
        bool on_front = false; ///< No other is as good in both metrics and better in one.
    };
    plan_metric first{}, second{};
    std::vector<entry> plans; ///< Sorted by the first metric.
};

/// Plans for weighted sums of two metrics, between the first alone and the second alone, together with the scenario as
/// given and the baselines. Of plans with the same figures one is kept. \throws usage_error as make_plan
plan_front front_of(const scenario&, const std::shared_ptr<const tuning_method>&, const std::vector<domain_size>& sizes,
                    const client_data&, plan_metric first, plan_metric second);

std::string front_text(const plan_front&);

} // namespace gaisnet
