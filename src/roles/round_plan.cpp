#include "roles/round_plan.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace gaisnet {

std::uint32_t cluster_fate::holder(const stage_seat& seat, std::int64_t batch) const {
    auto node = seat.node;
    for (const auto& one : takeovers) {
        if (one.stage == seat.position && one.before_batch <= batch) {
            node = one.heir;
        }
    }
    return node;
}

batch_range cluster_fate::held_by(std::uint32_t node, const stage_seat& seat, std::int64_t batches) const {
    const auto end = stops_before.value_or(batches);
    batch_range range{0, end};
    auto holding = seat.node;
    for (const auto& one : takeovers) {
        if (one.stage != seat.position) {
            continue;
        }
        const auto begin = std::max<std::int64_t>(0, one.before_batch);
        if (holding == node) {
            range.end = begin;
        }
        holding = one.heir;
        if (holding == node) {
            range = {begin, end};
        }
    }
    return range;
}

bool cluster_fate::present(std::uint32_t node) const {
    return std::none_of(losses.begin(), losses.end(), [&](const client_loss& one) {
        return one.node == node && one.before_batch == client_loss::absent;
    });
}

bool cluster_fate::loses(std::uint32_t node) const {
    return std::any_of(losses.begin(), losses.end(), [&](const client_loss& one) { return one.node == node; });
}

std::vector<std::vector<client_loss>> draw_dropouts(const scenario& scene, const topology& net,
                                                    const std::vector<std::int64_t>& batches, int round) {
    std::vector<std::vector<client_loss>> losses(net.clusters.size());
    const auto lose_at = [&](std::size_t group, std::uint32_t node, double part) {
        const auto n = static_cast<double>(batches[group]);
        losses[group].push_back(
            {node, part == 0.0 ? 0 : std::min<std::int64_t>(batches[group], std::llround(std::floor(part * n)) + 1)});
    };
    for (std::size_t group = 0; group < net.clusters.size(); ++group) {
        for (const auto client : net.clusters[group].clients) {
            const auto& chain = net.clusters[group].chain;
            if (std::none_of(chain.begin(), chain.end(), [&](const chain_stage& one) { return one.node == client; })) {
                continue; // a client that holds nothing does not matter
            }
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
    return losses;
}

namespace {

/// Whether a node can send to another: it is the same node, or there is a link within reach.
bool reaches(const deployment& deploy, std::uint32_t from, std::uint32_t to) {
    if (from == to) {
        return true;
    }
    const auto* link = deploy.net.link_between(from, to);
    const auto& radio = settings_of(*deploy.scene, link ? link->parameters.kind : link_class::none).radio;
    return link && (!link->by_radio || link->rate_bit_s >= radio->min_rate);
}

/// Finds heirs for all stages of a chain whose holders are lost before a batch; returns false if a stage has none.
bool repair(const deployment& deploy, int cluster, std::int64_t batch, const refused_takeovers& refused,
            cluster_fate& fate) {
    const auto& chain = deploy.chains[cluster];
    std::vector<std::uint32_t> holders;
    for (const auto& seat : chain) {
        holders.push_back(fate.holder(seat, batch));
    }
    if (fate.loses(holders.front())) {
        return false;
    }
    for (std::uint32_t stage = 1; stage < chain.size(); ++stage) {
        if (!fate.loses(holders[stage])) {
            continue;
        }
        const auto next =
            std::find_if(holders.begin() + stage, holders.end(), [&](std::uint32_t node) { return !fate.loses(node); });
        const auto can_hold = [&](std::uint32_t node) {
            // A next neighbour that is lost too finds its own heir.
            const bool last = stage + 1 == chain.size() || fate.loses(holders[stage + 1]);
            return !refused.contains({stage, node}) && reaches(deploy, holders[stage - 1], node) &&
                   reaches(deploy, node, holders[stage - 1]) &&
                   (last || (reaches(deploy, node, holders[stage + 1]) && reaches(deploy, holders[stage + 1], node)));
        };
        if (can_hold(holders[stage - 1])) {
            holders[stage] = holders[stage - 1];
        } else if (next != holders.end() && can_hold(*next)) {
            holders[stage] = *next;
        } else {
            return false;
        }
        fate.takeovers.push_back({stage, holders[stage], batch});
    }
    return true;
}

} // namespace

cluster_fate fate_after(const deployment& deploy, int cluster, std::vector<client_loss> losses,
                        const refused_takeovers& refused) {
    const auto key = [](const client_loss& one) { return std::tie(one.before_batch, one.node); };
    std::sort(losses.begin(), losses.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    cluster_fate fate;
    for (auto next = losses.begin(); next != losses.end();) {
        const auto batch = next->before_batch;
        const auto taken = fate.takeovers.size();
        for (; next != losses.end() && next->before_batch == batch; ++next) {
            if (!fate.loses(next->node)) {
                fate.losses.push_back(*next);
            }
        }
        if (deploy.scene->dropout.policy == dropout_policy::skip || !repair(deploy, cluster, batch, refused, fate)) {
            fate.takeovers.resize(taken);
            fate.stops_before = std::max<std::int64_t>(0, batch);
            fate.plays = batch != client_loss::absent;
            break;
        }
    }
    return fate;
}

} // namespace gaisnet
