#pragma once

#include "planning/measured_tunings.hpp"
#include "planning/plan_search.hpp"
#include "roles/deployment.hpp"

#include <filesystem>
#include <string>

namespace gaisnet {

/// What repeats a plan.
struct plan_files {
    std::filesystem::path config;     ///< for --config
    std::filesystem::path network;    ///< for network.file
    std::filesystem::path left_alone; ///< the one that existed, so that neither was written; empty: both were
    std::string text() const;         ///< a line
};

/// "12.3 s"
std::string metric_text(const plan_figures&, plan_metric);

/// The plan in words and tables: chains, what it gains against the scenario and the baselines, the bound, the search.
std::string plan_text(const chosen_plan&, const deployment& planned);
/// The same as JSON, with values in SI units. \param measured the tuning methods that were tried; null: none was.
std::string plan_json(const chosen_plan&, const deployment& planned, const plan_files&,
                      const measured_tunings* measured = nullptr);

} // namespace gaisnet
