#include "planning/edge_share.hpp"

#include "network/clustering.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/ledger_run.hpp"

#include <algorithm>
#include <set>

namespace gaisnet {

namespace {

/// Clusters that miss their deadline or have a client with too little memory.
std::set<int> clusters_in_need(const deployment& deploy) {
    const auto& scene = *deploy.scene;
    std::set<int> needy;
    std::vector<node_row> nodes;
    if (scene.service == service_kind::inference) {
        const auto played = inference_ledger(deploy).play(make_inference_plan(deploy));
        nodes = played.nodes;
        std::vector<double> sums(deploy.chains.size(), 0.0), counts(deploy.chains.size(), 0.0);
        for (const auto& row : played.requests) {
            sums[row.cluster] += row.latency_s;
            counts[row.cluster] += 1.0;
        }
        for (std::size_t c = 0; c < sums.size(); ++c) {
            if (scene.infer.deadline_s > 0.0 && sums[c] > scene.infer.deadline_s * counts[c]) {
                needy.insert(static_cast<int>(c));
            }
        }
    } else {
        nodes = ledger_run(deploy).play(1).nodes;
    }
    for (const auto& row : nodes) {
        const auto& who = deploy.net.nodes[row.node];
        const bool late = scene.round.wait == wait_kind::deadline && row.outcome == cluster_outcome::cut;
        if (who.cluster >= 0 && (row.total_bytes > who.device.memory_bytes || late)) {
            needy.insert(who.cluster);
        }
    }
    return needy;
}

} // namespace

edge_share_choice choose_edge_shares(scenario scene, const std::function<deployment(const scenario&)>& deploy) {
    edge_share_choice choice;
    auto& formed = scene.cluster.formed;
    if (formed.empty()) {
        formed = form_clusters(scene);
    }
    const auto depth = static_cast<int>(scene.model.depth);
    for (;;) {
        const auto made = deploy(scene);
        const auto needy = clusters_in_need(made);
        bool more = false;
        for (const int number : needy) {
            const auto& group = made.net.clusters[number];
            auto& share =
                formed[static_cast<std::size_t>(group.edge)][static_cast<std::size_t>(group.place)].edge_blocks;
            more = more || share < depth;
            share = std::min(depth, share + 1);
        }
        if (!more) {
            for (const int number : needy) {
                choice.lacking.push_back(made.net.clusters[number].name);
            }
            choice.formed = std::move(formed);
            return choice;
        }
    }
}

} // namespace gaisnet
