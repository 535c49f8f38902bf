#pragma once

#include <cstdint>
#include <vector>

namespace gaisnet {

/// Requests for inference at one start point, and how its chain takes them.
struct request_line {
    std::vector<double> arrivals_s; ///< Since the start of the session, ascending.
    int batch = 1;                  ///< Requests that go through the chain together, at most.
    int in_flight = 1;              ///< Batches in the chain at a time, at most.
};

/// A batch of requests, by order of arrival.
struct request_batch {
    std::int64_t first = 0, count = 0;
    double taken_s = 0; ///< When the chain begins with it, since the start of the session: for `clock = real`.
    bool operator==(const request_batch&) const = default;
};

/// What the ledger pass saw of the requests of a cluster.
struct served_requests {
    struct batch_log {
        request_batch requests;
        double taken_s = 0;               ///< When the chain began with it.
        double answered_s = 0;            ///< When its results were back at the start point.
        std::vector<std::int64_t> events; ///< Computations and transfers, in the order of the chain.
    };
    std::vector<batch_log> batches;
    std::vector<std::int64_t> sensing; ///< By request: the event.
};

} // namespace gaisnet
