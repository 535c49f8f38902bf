#include "roles/fusion.hpp"

#include "model/stage_spec.hpp"
#include "roles/chain_stages.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

namespace gaisnet {

namespace {

constexpr std::int64_t any_classes = 2; // their number does not matter here
constexpr double fused_bytes = 32e6;
constexpr int groups_wanted = 16;

/// How many clusters of an edge compute together, at most.
int largest_group(const scenario& scene, const std::shared_ptr<const foundation_model>& model,
                  const std::shared_ptr<const tuning_method>& method, int clusters_of_edge) {
    const bool one_at_a_time = scene.scheme == scheme_kind::sl || scene.scheme == scheme_kind::centralised;
    const bool nothing_in_common = !method->of_embedding(*model).empty();
    if (one_at_a_time || nothing_in_common || scene.clock == clock_kind::real) {
        return 1;
    }
    if (!scene.runtime.fuse.automatic) {
        return scene.runtime.fuse.clusters;
    }
    const auto classes = scene.model.tells_next_tokens() ? no_classes : any_classes;
    const auto kept = whole_model(model, method, classes).retained_bytes(scene.train.batch);
    const auto fitting = static_cast<int>(fused_bytes / static_cast<double>(std::max<std::uint64_t>(1, kept)));
    return std::max(1, std::min(fitting, clusters_of_edge / groups_wanted));
}

} // namespace

std::vector<int> fusion_groups(const scenario& scene, const topology& net,
                               const std::shared_ptr<const foundation_model>& model,
                               const std::shared_ptr<const tuning_method>& method) {
    std::map<int, int> clusters_of_edge;
    for (const auto& group : net.clusters) {
        ++clusters_of_edge[group.edge];
    }
    std::map<int, int> most;
    for (const auto& [edge, clusters] : clusters_of_edge) {
        most[edge] = largest_group(scene, model, method, clusters);
    }
    /// What has to be equal: the place in the row of clusters and, of each stage, its cut, the size of its tunables and
    /// its holder's place among the clients, by which placements keep stages together (-1: the edge).
    using likeness = std::pair<std::pair<int, int>, std::vector<std::tuple<stage_cut, std::int64_t, int>>>;
    std::vector<std::pair<likeness, int>> of_row; // of the current row: there are few kinds
    std::vector<int> groups;
    for (std::size_t c = 0; c < net.clusters.size(); ++c) {
        const auto& own = net.clusters[c];
        likeness like{{own.edge, own.place / most[own.edge]}, {}};
        for (const auto& stage : own.chain) {
            const auto& holder = net.nodes[stage.node];
            like.second.emplace_back(cut_of(stage), holder.tuning_size, holder.member);
        }
        if (!of_row.empty() && of_row.front().first.first != like.first) {
            of_row.clear();
        }
        const auto found =
            std::find_if(of_row.begin(), of_row.end(), [&](const auto& one) { return one.first == like; });
        if (found == of_row.end()) {
            of_row.emplace_back(std::move(like), static_cast<int>(c));
            groups.push_back(static_cast<int>(c));
        } else {
            groups.push_back(found->second);
        }
    }
    return groups;
}

std::vector<int> undisturbed_groups(const deployment& deploy, const indexed<cluster_fate>& fates) {
    std::map<int, int> leaders; // by group: the first one that is left
    std::vector<int> groups;
    for (std::size_t c = 0; c < fates.size(); ++c) {
        const auto& fate = fates[c];
        const auto own = static_cast<int>(c);
        const bool disturbed = !fate.plays || !fate.losses.empty();
        groups.push_back(disturbed ? own : leaders.emplace(deploy.groups[c], own).first->second);
    }
    return groups;
}

std::vector<int> groups_of_session(const deployment& deploy, const inference_plan& session) {
    auto groups = deploy.groups;
    if (std::any_of(session.lines.begin(), session.lines.end(), [](const auto& line) { return !line.texts.empty(); })) {
        std::iota(groups.begin(), groups.end(), 0);
    }
    return groups;
}

placement_request placement_of(const scenario& scene, const topology& net,
                               const std::shared_ptr<const foundation_model>& model,
                               const std::shared_ptr<const tuning_method>& method, int ranks) {
    placement_request out{net, ranks, {}, fusion_groups(scene, net, model, method)};
    out.work.resize(net.nodes.size());
    const auto classes = scene.model.tells_next_tokens() ? no_classes : any_classes;
    sized_methods methods(method);
    std::pair<std::vector<stage_cut>, std::vector<std::shared_ptr<const tuning_method>>> known; // mostly the same
    std::vector<stage_spec> stages;
    for (const auto& group : net.clusters) {
        if (auto own = std::pair(cuts_of(group), methods.of_chain(net, group)); own != known) {
            known = std::move(own);
            stages = make_stages(model, known.second, classes, known.first);
        }
        for (std::size_t place = 0; place < stages.size(); ++place) {
            const auto& spec = stages[place];
            out.work[group.chain[place].node] +=
                spec.forward_flops(1) + (spec.runs_backward() ? spec.backward_flops(1) : 0);
        }
    }
    return out;
}

placement_request placement_of(const deployment& deploy, int ranks) {
    return placement_of(*deploy.scene, deploy.net, deploy.model, deploy.method, ranks);
}

void check_merging(const deployment& deploy, const std::vector<int>& rank_of) {
    if (!deploy.scene->runtime.merge_micro_batches) {
        return;
    }
    for (std::size_t c = 0; c < deploy.chains.size(); ++c) {
        const auto& chain = deploy.chains[c];
        const auto stranger = std::find_if(chain.begin(), chain.end(), [&](const stage_seat& seat) {
            return rank_of[seat.node] != rank_of[chain.front().node];
        });
        if (stranger != chain.end()) {
            throw usage_error("runtime.merge_micro_batches = on: the chain of cluster " + deploy.net.clusters[c].name +
                              " lies on several ranks (" + deploy.net.nodes[chain.front().node].name + " on rank " +
                              std::to_string(rank_of[chain.front().node]) + ", " +
                              deploy.net.nodes[stranger->node].name + " on rank " +
                              std::to_string(rank_of[stranger->node]) +
                              "), whose work could overlap; off, fewer ranks, or placement = cluster is accepted");
        }
    }
}

} // namespace gaisnet
