#pragma once

#include "results/report.hpp"
#include "results/rows.hpp"

#include <span>
#include <string>

namespace gaisnet {

/// The contents of the end table of a session of inference.
struct inference_summary : clock_summary {
    std::span<const request_row> requests;
    resource_summary resources;
    bool planned = false; ///< Only a forecast, without predictions.
    double wall_s = 0;
    std::string served_by; ///< Origin of the modules that answered.
    std::string output;    ///< Path of the results file; empty: none.
};

/// Accuracy, throughput, latency with its parts, and resources, ready for stdout.
std::string report(const inference_summary&);

} // namespace gaisnet
