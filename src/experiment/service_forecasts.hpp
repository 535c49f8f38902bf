#pragma once

#include "experiment/preparation.hpp"
#include "experiment/service_accounts.hpp"
#include "planning/service_outlook.hpp"
#include "planning/service_policy.hpp"
#include "roles/deployment.hpp"
#include "rounds/inference_ledger.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace gaisnet {

/// Requests of a start point that a session answers.
struct session_order {
    std::int32_t cluster = 0;
    std::int64_t first = 0, requests = 0; ///< Among the start point's requests, in order of arrival.
};

/// A session in which one start point has requests. \param has_version whether its chain holds the model as it is.
/// \param round of service, from 0.
inference_plan plan_of_session(const deployment& answering, const session_order&, bool has_version, int round);
/// The part of one edge in a session; the other edges are idle. \param since_s when it began.
service_effort effort_of_session(const inference_forecast&, std::uint32_t edge, double since_s);

/// What the first services of an edge would take.
struct service_forecast {
    std::vector<service_effort> tuning; ///< The first round of fine-tuning, and the second if there may be one.
    service_effort answering;           ///< The first session of the edge's first start point.
    std::int64_t requests = 0;          ///< That are answered.
};

/// Plays services in ledgers of its own, at rank 0: nothing of them is done.
class service_forecasts {
public:
    /// \param answering the same nodes as the run's, with the links of inference. Both must outlive the forecasts.
    service_forecasts(const prepared_run&, const deployment& answering);

    /// \returns by edge. \throws usage_error when a node has not enough memory.
    std::vector<service_forecast> first_services();

    using price_list = std::function<service_price(const service_effort&)>;
    /// What a session would take. It is played once for each client, number of requests and holding of the version, as
    /// long as the network does not change over time. \param round of service, from 0. \param now_s when it begins.
    service_price price(const session_order&, bool has_version, int round, double now_s, const price_list&);

private:
    const prepared_run& run_;
    const deployment& answering_;
    service_rules rules_;
    inference_ledger ledger_;
    bool constant_ = true; ///< A session takes the same at any time.
    struct known_session {
        std::int64_t requests = 0;
        service_price price;
    };
    std::map<std::pair<std::int32_t, bool>, known_session>
        known_; ///< The last one of a cluster, with or without delivery.
};

} // namespace gaisnet
