#include "experiment/request_session.hpp"

#include "base/error.hpp"
#include "experiment/text_lengths.hpp"
#include "rounds/describe.hpp"

#include <fmt/format.h>

namespace gaisnet {

inference_plan plan_of_requests(const prepared_run& run) {
    const auto& deploy = *run.deploy;
    const auto& asked = run.data->requests();
    auto plan = make_inference_plan(deploy, asked.own());
    if (run.scene->infer.prompts.empty()) {
        return plan;
    }
    const auto most = positions_of_texts(*deploy.model, *deploy.method) - run.scene->infer.generate;
    for (std::size_t c = 0; c < plan.lines.size(); ++c) {
        const int cluster = static_cast<int>(c);
        const auto& requester = deploy.net.nodes[deploy.chains[c].front().node].name;
        const auto samples = asked.of(cluster, requester, plan.requests_of(cluster));
        for (std::size_t request = 0; request < samples.size(); ++request) {
            const auto tokens = static_cast<std::int64_t>(asked.prompt(cluster, samples[request]).size());
            if (tokens == 0 || tokens > most) {
                throw usage_error(
                    fmt::format("infer.prompts: {} has {} tokens; 1 to {} are accepted, model.positions less "
                                "infer.generate and tuning.prompts",
                                asked.describe(cluster, samples[request]).first, tokens, most));
            }
            plan.lines[c].texts[request].prompt = tokens;
        }
    }
    return plan;
}

inference_summary summary_of(const prepared_run& run, const inference_forecast& played) {
    inference_summary out;
    out.requests = played.requests;
    out.tokens = played.tokens;
    for (const auto& node : played.nodes) {
        if (node.cache_bytes > out.cache_bytes) {
            out.cache_bytes = node.cache_bytes;
            out.cache_node = run.deploy->net.nodes[node.node].name;
        }
    }
    out.resources = resources_of(played.nodes, played.events, describe_nodes(*run.deploy, run.rank_of));
    return out;
}

} // namespace gaisnet
