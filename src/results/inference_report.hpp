#pragma once

#include "results/report.hpp"
#include "results/rows.hpp"

#include <span>
#include <string>

namespace gaisnet {

/// The contents of the end table of a session of inference.
struct inference_summary : run_figures {
    std::span<const request_row> requests;
    resource_summary resources;
    std::string served_by; ///< Origin of the modules that answered.
};

/// Accuracy, throughput, latency with its parts, and resources, ready for stdout.
std::string report(const inference_summary&);

} // namespace gaisnet
