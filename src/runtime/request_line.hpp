#pragma once

#include <cstdint>
#include <vector>

namespace gaisnet {

/// Requests for inference at one start point, and how its chain handles them.
struct request_line {
    std::vector<double> arrivals_s; ///< Since the start of the session, ascending.
    int batch = 1;                  ///< Largest number of requests that go through the chain together.
    int in_flight = 1;              ///< Largest number of batches in the chain at a time.
};

/// A batch of requests, in order of arrival.
struct request_batch {
    std::int64_t first = 0, count = 0;
    double taken_s = 0; ///< When the chain starts it, s since the start of the session: for `clock = real`.
    bool operator==(const request_batch&) const = default;
};

/// The ledger pass's record of the requests of a cluster.
struct served_requests {
    struct batch_log {
        request_batch requests;
        double taken_s = 0;               ///< When the chain started it.
        double answered_s = 0;            ///< When its results were back at the start point.
        std::vector<std::int64_t> events; ///< Computations and transfers, in the order of the chain.
    };
    std::vector<batch_log> batches;
    std::vector<std::int64_t> sensing; ///< The event of each request.
};

} // namespace gaisnet
