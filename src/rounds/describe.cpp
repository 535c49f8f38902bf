#include "rounds/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace gaisnet {

namespace {

/// With which a node tunes; 0: its method changes nothing by low rank.
std::int64_t largest_rank(const deployment& deploy, const node& of) {
    const auto ranks = sized(deploy.method, of.tuning_size)->change(*deploy.model, 0).rank;
    return *std::max_element(ranks.begin(), ranks.end());
}

} // namespace

std::vector<node_description> describe_nodes(const deployment& deploy, const std::vector<int>& rank_of) {
    // A node may have several stages. For a client with two, this is the one at the start point; for an edge that is a
    // stage, the one in its first cluster.
    std::vector<const stage_seat*> first_seats(deploy.net.nodes.size(), nullptr);
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            auto& first = first_seats[seat.node];
            first = first ? first : &seat;
        }
    }
    std::vector<node_description> out;
    for (std::size_t i = 0; i < deploy.net.nodes.size(); ++i) {
        const auto& node = deploy.net.nodes[i];
        node_description row;
        row.name = node.name;
        row.role = node.role;
        row.edge = node.edge;
        row.cluster = node.cluster < 0 ? -1 : deploy.net.clusters[node.cluster].place;
        row.position = -1;
        row.rank = rank_of[i];
        if (const auto* seat = first_seats[i]) {
            row.position = node.cluster < 0 ? -1 : static_cast<std::int32_t>(seat->position);
            if (seat->spec.cut().blocks > 0) {
                row.first_block = static_cast<std::int32_t>(seat->spec.cut().first_block);
                row.blocks = static_cast<std::int32_t>(seat->spec.cut().blocks);
            }
        }
        if (node.cluster >= 0 && node.member == 0) {
            row.samples = static_cast<std::uint64_t>(deploy.plans[node.cluster].samples);
        }
        row.rate_flop_s = node.device.rate_flop_s;
        row.power_w = node.device.power_w;
        row.radiated_w = node.device.tx_power_w;
        row.tx_power_w = node.device.radio.send_w(node.device.tx_power_w);
        row.rx_power_w = node.device.radio.receive_w;
        row.idle_power_w = node.device.radio.idle_w;
        row.base_power_w = node.device.base_power_w;
        row.sleep_power_w = node.device.sleep_power_w.value_or(std::numeric_limits<double>::quiet_NaN());
        row.battery_j = node.device.battery_j;
        const auto place = deploy.net.radio->place(static_cast<std::uint32_t>(i), 0.0);
        row.x_m = place.x;
        row.y_m = place.y;
        row.memory_bytes = node.device.memory_bytes;
        row.tuning_rank = static_cast<std::int32_t>(largest_rank(deploy, node));
        out.push_back(row);
    }
    return out;
}

std::vector<chain_description> describe_chains(const deployment& deploy) {
    std::vector<chain_description> out;
    for (const auto& group : deploy.net.clusters) {
        std::uint32_t position = 0;
        for (const auto& stage : group.chain) {
            out.push_back({static_cast<std::uint32_t>(group.edge), static_cast<std::uint32_t>(group.place), position++,
                           stage.node, static_cast<std::uint32_t>(stage.first_block),
                           static_cast<std::uint32_t>(stage.blocks), stage.embedding, stage.head,
                           static_cast<std::uint32_t>(deploy.first_round)});
        }
    }
    return out;
}

std::vector<link_description> describe_links(const deployment& deploy) {
    std::vector<link_description> out;
    for (const auto& link : deploy.net.links) {
        const auto& one = link.parameters;
        const auto& radio = settings_of(*deploy.scene, one.kind).radio;
        const double reach =
            link.by_radio ? deploy.net.radio->reach_m(one.kind, *radio, one.from, one.bandwidth_hz, radio->min_rate)
                          : std::numeric_limits<double>::quiet_NaN();
        const auto share = link.medium ? deploy.net.media[*link.medium].share : share_kind::exclusive;
        out.push_back({one.from, one.to, one.kind, link.rate_bit_s, one.latency_s, one.bandwidth_hz, one.radiated_w,
                       one.wired_j_bit.value_or(std::numeric_limits<double>::quiet_NaN()), one.loss, link.distance_m,
                       link.path_loss_db, reach, link.spare, name_of(share),
                       static_cast<std::uint32_t>(deploy.first_round)});
    }
    return out;
}

std::string describe_sizes(const deployment& deploy) {
    std::set<std::pair<std::int64_t, std::int64_t>> different;
    std::string each;
    for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) {
        const auto training = deploy.total_weight(edge);
        const auto validation = deploy.domain_of(edge).size.validation_samples;
        different.emplace(training, validation);
        constexpr std::uint32_t most = 8;
        each += edge < most ? fmt::format("{}{} {} + {}", edge == 0 ? "" : ", ", deploy.net.nodes[edge].name, training,
                                          validation)
                            : std::string(edge == most ? ", ..." : "");
    }
    return different.size() > 1 ? "training + validation samples " + each
                                : fmt::format("{} training and {} validation samples an edge", different.begin()->first,
                                              different.begin()->second);
}

} // namespace gaisnet
