#pragma once

#include "planning/forecast.hpp"
#include "roles/deployment.hpp"
#include "rounds/inference_ledger.hpp"

#include <string>

namespace gaisnet {

/// Tables by device and by link: the `most` that take the largest part of the latency of the requests that pass them, what
/// these wait for it, how much of the session it is busy, and what it costs.
std::string request_tables(const deployment&, const inference_forecast&, std::size_t most = 16);

/// What takes the largest part of a request's latency.
struct request_obstacle {
    /// "c0.1 takes 61 % of a request's latency, half of it waiting: it is busy 93 % of the session"; or that requests wait for
    /// their turn, and who is busiest; or what is no device's or link's: sensing, and waiting for modules.
    std::string text;
    std::string part; ///< The request_part to which it belongs; empty: nothing takes any time.
};
request_obstacle request_bottleneck(const deployment&, const inference_forecast&);

/// Plays a session again and again, each time with one quantity halved; see halve_each(). Also the rate of requests, if
/// they are a Poisson process. Latency is the mean of the requests, energy that of one.
std::vector<sensitivity> halve_each_for_requests(const deployment&, const inference_plan&);

/// Mean latency of the requests, s, and energy of one.
std::pair<double, energy_parts> mean_of_requests(const inference_forecast&);

} // namespace gaisnet
