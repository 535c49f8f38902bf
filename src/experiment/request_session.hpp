#pragma once

#include "experiment/preparation.hpp"
#include "results/inference_report.hpp"
#include "rounds/inference_ledger.hpp"

namespace gaisnet {

/// The session of a scenario's requests; of the user's prompts each has its own length.
/// \throws usage_error for a prompt that leaves no room for infer.generate tokens.
inference_plan plan_of_requests(const prepared_run&);

/// What the ledger knows of a session. Its rows must outlive the summary.
inference_summary summary_of(const prepared_run&, const inference_forecast&);

} // namespace gaisnet
