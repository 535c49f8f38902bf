#pragma once

#include "model/stage_executor.hpp"

#include <cstdint>
#include <vector>

namespace gaisnet {

/// A text that is generated for a request: it goes through the chain once for each token, first with the whole prompt, then
/// with the token that was told last.
struct generated_text {
    std::int64_t prompt = 1; ///< Tokens.
    std::int64_t tokens = 1; ///< That are told.
};

/// Requests for inference at one start point, and how its chain handles them.
struct request_line {
    std::vector<double> arrivals_s; ///< Since the start of the session, ascending.
    int batch = 1;                  ///< Largest number of requests that go through the chain together.
    int in_flight = 1;              ///< Largest number of batches, or of texts, in the chain at a time.
    /// By request, counted over the whole session; empty: requests are answered by one pass. Each goes on its own.
    std::vector<generated_text> texts{};

    token_step step(std::int64_t request, std::int64_t token) const {
        const auto& text = texts[static_cast<std::size_t>(request)];
        const bool begins = token == 0;
        return {begins ? text.prompt : 1, begins ? 0 : text.prompt + token - 1, answers(request, token)};
    }
    /// Whether a batch answers its requests; that of a text, with its last token.
    bool answers(std::int64_t request, std::int64_t token) const {
        return texts.empty() || token + 1 == texts[static_cast<std::size_t>(request)].tokens;
    }
};

/// A batch of requests, in order of arrival.
struct request_batch {
    std::int64_t first = 0, count = 0;
    double taken_s = 0;     ///< When the chain starts it, s since the start of the session: for `clock = real`.
    std::int64_t token = 0; ///< Of a text: which one it tells, from 0.
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
