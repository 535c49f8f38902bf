#include "roles/round_plan.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

void cluster_fate::lose(std::uint32_t node, std::int64_t batch) {
    if (stops_before && *stops_before < batch) {
        return;
    }
    if (stops_before != batch) {
        lost.clear(); // those would have been lost later
    }
    stops_before = batch;
    lost.push_back(node);
}

std::vector<cluster_fate> draw_dropouts(const scenario& scene, const topology& net,
                                        const std::vector<std::int64_t>& batches, int round) {
    std::vector<cluster_fate> fates(net.clusters.size());
    const auto lose_at = [&](std::size_t group, std::uint32_t node, double part) {
        const auto n = static_cast<double>(batches[group]);
        fates[group].lose(
            node, part == 0.0 ? 0 : std::min<std::int64_t>(batches[group], std::llround(std::floor(part * n)) + 1));
    };
    for (std::size_t group = 0; group < net.clusters.size(); ++group) {
        for (const auto client : net.clusters[group].clients) {
            const auto& name = net.nodes[client].name;
            random_stream stream(scene.seed, "dropout", name, static_cast<std::uint32_t>(round));
            const bool lost = stream.uniform() < scene.dropout.probability;
            if (const double part = stream.uniform(); lost) {
                lose_at(group, client, part);
            }
            for (const auto& one : scene.dropout.schedule) {
                if (one.client == name && static_cast<int>(std::floor(one.round)) == round) {
                    lose_at(group, client, one.round - std::floor(one.round));
                }
            }
        }
    }
    return fates;
}

} // namespace gaisnet
