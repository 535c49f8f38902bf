#include "roles/inference_plan.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace gaisnet {

std::vector<double> draw_requests(const scenario& scene, const std::string& requester, std::int64_t requests,
                                  int session) {
    const auto& infer = scene.infer;
    if (infer.arrivals == arrival_kind::trace) {
        const auto own = infer.trace->find(infer.trace->contains("") ? "" : requester);
        return own == infer.trace->end() ? std::vector<double>() : own->second;
    }
    std::vector<double> times(static_cast<std::size_t>(requests), 0.0);
    if (infer.arrivals == arrival_kind::poisson) {
        random_stream gaps(scene.seed, "request", requester, static_cast<std::uint32_t>(session - 1));
        double now = 0.0;
        for (auto& time : times) {
            now -= std::log(1.0 - gaps.uniform()) / infer.rate;
            time = now;
        }
    }
    return times;
}

inference_plan make_inference_plan(const deployment& deploy, const std::vector<std::int64_t>& requests, int session) {
    const auto& scene = *deploy.scene;
    inference_plan plan;
    plan.whole_stages = scene.infer.delivery == delivery_kind::full;
    plan.holds.assign(deploy.net.nodes.size(), scene.infer.delivery == delivery_kind::none);
    const auto requester_of = [&](const auto& chain) -> const std::string& {
        return deploy.net.nodes[chain.front().node].name;
    };
    for (const auto& chain : deploy.chains) {
        const int stages = static_cast<int>(chain.size());
        const auto count = requests.empty() ? scene.infer.requests : requests.at(plan.lines.size());
        for (const auto& seat : chain) {
            plan.cluster_of_stage.resize(seat.number + 1, -1);
            plan.cluster_of_stage[seat.number] = static_cast<int>(plan.lines.size());
        }
        plan.lines.push_back({draw_requests(scene, requester_of(chain), count, session), scene.infer.batch,
                              scene.infer.in_flight > 0 ? scene.infer.in_flight : stages});
        if (scene.model.tells_next_tokens()) {
            auto& line = plan.lines.back();
            line.texts.assign(line.arrivals_s.size(), {scene.infer.prompt_tokens, scene.infer.generate});
        }
    }
    if (scene.infer.trace) {
        std::vector<std::string> requesters;
        std::transform(deploy.chains.begin(), deploy.chains.end(), std::back_inserter(requesters), requester_of);
        for (const auto& [client, times] : *scene.infer.trace) {
            if (!client.empty() && std::find(requesters.begin(), requesters.end(), client) == requesters.end()) {
                throw usage_error("infer.trace: there is no start point " + client + "; names are like " +
                                  requesters.front() + " and " + requesters.back());
            }
        }
    }
    return plan;
}

std::vector<wanted_modules> wanted_in(const deployment& deploy, const inference_plan& plan, int cluster) {
    std::map<std::uint32_t, std::vector<const stage_seat*>> by_client;
    for (const auto& seat : deploy.chains[cluster]) {
        const bool client = deploy.net.nodes[seat.node].role == node_role::client;
        if (client && !plan.holds[seat.node] && (plan.whole_stages || seat.spec.trainable())) {
            by_client[seat.node].push_back(&seat);
        }
    }
    std::vector<wanted_modules> all;
    for (auto& [node, seats] : by_client) {
        all.push_back({node, std::move(seats)});
    }
    return all;
}

} // namespace gaisnet
