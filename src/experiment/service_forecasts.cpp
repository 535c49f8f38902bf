#include "experiment/service_forecasts.hpp"

#include "experiment/service_table.hpp"
#include "network/link_model.hpp"
#include "rounds/ledger_run.hpp"

#include <algorithm>

namespace gaisnet {

inference_plan plan_of_session(const deployment& answering, const session_order& order, bool has_version, int round) {
    std::vector<std::int64_t> requests(answering.chains.size(), 0);
    requests[static_cast<std::size_t>(order.cluster)] = order.requests;
    auto plan = make_inference_plan(answering, requests, round + 1);
    for (const auto& seat : answering.chains[static_cast<std::size_t>(order.cluster)]) {
        plan.holds[seat.node] = plan.holds[seat.node] || has_version;
    }
    return plan;
}

service_effort effort_of_session(const inference_forecast& played, std::uint32_t edge, double since_s) {
    return {played.nodes, played.events, played.end_s[edge] - since_s};
}

service_forecasts::service_forecasts(const prepared_run& run, const deployment& answering)
    : run_(run)
    , answering_(answering)
    , rules_(rules_of(*run.scene))
    , ledger_(answering)
    , constant_(answering.scene->infer.arrivals == arrival_kind::burst) {
    const auto& net = answering.net;
    constant_ = constant_ && std::all_of(net.links.begin(), net.links.end(), [&](const network_link& link) {
                    return is_constant({*answering.scene, net, link});
                });
}

std::vector<service_forecast> service_forecasts::first_services() {
    const auto& scene = *run_.scene;
    ledger_run tuning(*run_.deploy);
    std::vector<service_forecast> all;
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        const auto number = static_cast<std::uint32_t>(edge);
        auto& its = all.emplace_back();
        for (int round = 1; round <= std::min(2, scene.serve.rounds); ++round) {
            const auto played = tuning.play_one(round, number);
            check_memory(*run_.deploy, played.nodes);
            its.tuning.push_back({played.nodes, played.events, played.rounds.front().latency_s});
        }
        its.requests = 1;
        for (int round = 0; round < scene.serve.rounds; ++round) {
            its.requests = std::max(its.requests, static_cast<std::int64_t>(rules_.demand_of(round, number)));
        }
        const session_order order{first_cluster_of(scene, edge), 0, its.requests};
        const auto answered = ledger_.play(plan_of_session(answering_, order, false, 0), 1, 0.0, edge);
        check_memory(answering_, answered.nodes);
        its.answering = effort_of_session(answered, number, 0.0);
    }
    return all;
}

service_price service_forecasts::price(const session_order& order, bool has_version, int round, double now_s,
                                       const price_list& price_of) {
    const auto [place, is_new] = known_.try_emplace({order.cluster, has_version});
    auto& known = place->second;
    if (is_new || !constant_ || known.requests != order.requests) {
        const auto edge = answering_.net.clusters[order.cluster].edge;
        const auto played =
            ledger_.play(plan_of_session(answering_, order, has_version, round), round + 1, now_s, edge);
        known = {order.requests, price_of(effort_of_session(played, static_cast<std::uint32_t>(edge), now_s))};
    }
    return known.price;
}

} // namespace gaisnet
