#pragma once

#include "scenario/scenario.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// When the requests of a client come: at known times and, after these, evenly at an expected rate. A request that
/// still waits when its deadline has passed is given up. Requests are numbered from 0 in the order of arrival.
struct request_stream {
    std::span<const double> known_s{}; ///< Emulated time, ascending.
    double since_s = 0;                ///< From here on requests are expected, not before the last known one ...
    double per_second = 0;             ///< ... at this rate; 0: none.
    double deadline_s = std::numeric_limits<double>::infinity();

    /// When a request comes; infinite: it never does.
    double time_of(std::int64_t request) const;
    /// How many have come, the one that comes now included.
    std::int64_t arrived(double now_s) const;
    /// How many have come whose deadline has passed.
    std::int64_t overdue(double now_s) const;
};

/// A rate of requests, forecast from the rounds so far by exponential smoothing (Brown 1956). Requests and seconds of
/// the rounds are added up with weights that fall by the factor 1 - constant from one round to the next, and the rate is
/// the quotient of both sums: rounds differ in length, and a short one tells little.
class smoothed_rate {
public:
    /// \param constant weight of the last round, above 0 and at most 1.
    explicit smoothed_rate(double constant): constant_(constant) {}
    /// Adds a round. One of 0 s tells nothing.
    void add(std::int64_t requests, double seconds);
    /// 0 before the first round.
    double per_second() const { return seconds_ > 0.0 ? requests_ / seconds_ : 0.0; }

private:
    double constant_;
    double requests_ = 0, seconds_ = 0;
};

/// Draws when the requests of each start point come (serve.arrivals), a function of seed and names. An edge's Poisson
/// process is made of those of its start points, which have equal parts of serve.rate. \param start_points names, by
/// cluster. \returns emulated times, ascending, by cluster. \throws usage_error for a trace that names no start point.
std::vector<std::vector<double>> draw_service_arrivals(const scenario&, const std::vector<std::string>& start_points);

} // namespace gaisnet
