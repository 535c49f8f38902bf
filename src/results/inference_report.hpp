#pragma once

#include "results/report.hpp"
#include "results/rows.hpp"

#include <span>
#include <string>

namespace gaisnet {

/// The contents of the end table of a session of inference.
struct inference_summary : run_figures {
    std::span<const request_row> requests;
    std::span<const token_row> tokens; ///< Of texts that were generated.
    std::uint64_t cache_bytes = 0;     ///< Peak of their keys and values, at the node with the largest.
    std::string cache_node;
    resource_summary resources;
    std::string served_by; ///< Origin of the modules that answered.
};

/// Accuracy, throughput, latency with its parts, and resources, ready for stdout.
std::string report(const inference_summary&);

} // namespace gaisnet
