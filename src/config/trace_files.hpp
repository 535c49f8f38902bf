#pragma once

#include "emulation/rate_model.hpp"
#include "network/scenario.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// A rate over time. CSV: `time, rate` a line, with units or in s and bit/s, the first at 0, ascending; the last rate
/// stays. Or Mahimahi's format: a line for every packet of 1500 B that can leave, with its time in ms; it repeats.
/// \throws usage_error naming file and line.
std::shared_ptr<const rate_trace> read_rate_trace(const std::string& path);

/// Positions over time. CSV: `node, time, x, y` a line, with units or in s and m, the times of a node ascending.
/// \throws usage_error naming file and line.
std::shared_ptr<const recorded_paths> read_paths(const std::string& path);

/// Times of requests. CSV: `time`, or `client, time` a line, with units or in s, the times of a client ascending.
/// \throws usage_error naming file and line.
std::shared_ptr<const request_trace> read_request_trace(const std::string& path);

} // namespace gaisnet
