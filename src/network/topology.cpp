#include "network/topology.hpp"

#include "base/error.hpp"

#include <numeric>
#include <set>
#include <utility>

namespace gaisnet {

namespace {

device_model draw_device(const device_settings& settings, const scenario& scene, const std::string& name) {
    const auto draw = [&](const distribution& value, const char* purpose) {
        random_stream stream(scene.seed, purpose, name);
        return value.draw(stream);
    };
    device_model device;
    if (settings.frequency) {
        const double frequency = draw(*settings.frequency, "device.frequency");
        device.rate_flop_s = frequency * settings.flops_per_cycle;
        device.power_w = dynamic_power_w(settings.kappa.value_or(0.0), frequency);
    } else {
        device.rate_flop_s = draw(settings.rate, "device.rate");
        device.power_w = draw(settings.power, "device.power");
    }
    device.tx_power_w = draw(settings.tx_power, "device.tx_power");
    device.rx_power_w = draw(settings.rx_power, "device.rx_power");
    device.idle_power_w = draw(settings.idle_power, "device.idle_power");
    device.memory_bytes = static_cast<std::uint64_t>(draw(settings.memory, "device.memory"));
    device.sense_time_s = scene.sense.time;
    device.sense_energy_j = scene.sense.energy;
    return device;
}

class builder {
public:
    explicit builder(const scenario& scene): scene_(scene) {}

    topology build() {
        out_.edges = scene_.network.edges;
        for (int edge = 0; edge < out_.edges; ++edge) {
            node member{"edge" + std::to_string(edge), node_role::edge, edge, -1, -1, {}};
            member.device = draw_device(scene_.device.edge, scene_, member.name);
            out_.nodes.push_back(std::move(member));
        }
        for (int edge = 0; edge < out_.edges; ++edge) {
            for (int index = 0; index < scene_.network.clusters; ++index) {
                add_cluster(edge, index);
            }
        }
        return std::move(out_);
    }

private:
    void add_cluster(int edge, int index) {
        const auto& sizes = scene_.network.clients;
        const int clients = sizes.size() == 1 ? sizes[0] : sizes.at(static_cast<std::size_t>(index));
        const std::string prefix = out_.edges > 1 ? "e" + std::to_string(edge) + "." : "";
        cluster group{prefix + "c" + std::to_string(index), edge, {}, {}};
        const int global = static_cast<int>(out_.clusters.size());
        for (int member = 0; member < clients; ++member) {
            node client{group.name + "." + std::to_string(member), node_role::client, edge, global, member, {}};
            client.device = draw_device(scene_.device.client, scene_, client.name);
            group.clients.push_back(static_cast<std::uint32_t>(out_.nodes.size()));
            out_.nodes.push_back(std::move(client));
        }
        make_chain(group, index);
        add_links(group);
        out_.clusters.push_back(std::move(group));
    }

    void make_chain(cluster& group, int index) const {
        auto members = group.clients;
        if (scene_.cluster.edge_stage) {
            const auto position = *scene_.cluster.edge_stage;
            if (position < 2 || position > static_cast<int>(members.size()) + 1) {
                throw usage_error("cluster.edge_stage = " + std::to_string(position) + ": cluster " + group.name +
                                  " accepts 2 to " + std::to_string(members.size() + 1));
            }
            members.insert(members.begin() + (position - 1), static_cast<std::uint32_t>(group.edge));
        }
        const bool labels_stay = scene_.train.labels == label_route::local;
        const auto blocks = blocks_of(index, group.name, static_cast<int>(members.size()), !labels_stay);
        int first_block = 0;
        for (std::size_t i = 0; i < members.size(); ++i) {
            const bool last = i + 1 == members.size();
            chain_stage stage{members[i], i == 0, first_block, blocks[i], last && !labels_stay};
            first_block += blocks[i];
            if (stage.embedding || stage.blocks > 0 || stage.head) {
                group.chain.push_back(stage);
            }
        }
        if (labels_stay) {
            if (group.chain.size() == 1) {
                group.chain.front().head = true;
            } else {
                group.chain.push_back({group.clients.front(), false, first_block, 0, true});
            }
        }
    }

    std::vector<int> blocks_of(int index, const std::string& name, int members, bool head_at_the_last) const {
        const auto& lists = scene_.split.blocks;
        if (lists.empty()) {
            return even_split(static_cast<int>(scene_.model.vit.depth), members, head_at_the_last);
        }
        auto blocks = lists.size() == 1 ? lists[0] : lists.at(static_cast<std::size_t>(index));
        const auto sum = std::accumulate(blocks.begin(), blocks.end(), 0);
        if (static_cast<int>(blocks.size()) != members || sum != scene_.model.vit.depth) {
            throw usage_error("split.blocks: cluster " + name + " has " + std::to_string(members) +
                              " stages and the model " + std::to_string(scene_.model.vit.depth) + " blocks, but " +
                              std::to_string(blocks.size()) + " counts with sum " + std::to_string(sum) + " are given");
        }
        return blocks;
    }

    void add_link(std::uint32_t from, std::uint32_t to, link_class kind, const link_settings& settings,
                  double bandwidth_hz) {
        const std::string name = out_.nodes[from].name + "->" + out_.nodes[to].name;
        random_stream rate(scene_.seed, "link.rate", name);
        random_stream latency(scene_.seed, "link.latency", name);
        out_.links.push_back({from, to, kind, settings.rate.draw(rate), settings.latency.draw(latency), bandwidth_hz});
    }

    double draw_bandwidth(const link_settings& settings, const std::string& owner) const {
        random_stream stream(scene_.seed, "link.bandwidth", owner);
        return settings.bandwidth.draw(stream);
    }

    /// D2D between neighbours of the chain, in both directions, and edge to client and back. Which of them carry
    /// something is the roles' business.
    void add_links(const cluster& group) {
        const auto edge = static_cast<std::uint32_t>(group.edge);
        // The D2D band of an edge is shared by its clusters, then by the directed hops of a chain.
        std::set<std::pair<std::uint32_t, std::uint32_t>> hops;
        for (std::size_t i = 0; i + 1 < group.chain.size(); ++i) {
            const auto from = group.chain[i].node, to = group.chain[i + 1].node;
            if (from != to && from != edge && to != edge) {
                hops.emplace(from, to);
                hops.emplace(to, from);
            }
        }
        if (!hops.empty()) {
            const double band = draw_bandwidth(scene_.link.d2d, "edge" + std::to_string(group.edge));
            const double share = band / scene_.network.clusters / static_cast<double>(hops.size());
            for (const auto& [from, to] : hops) {
                add_link(from, to, link_class::d2d, scene_.link.d2d, share);
            }
        }
        for (const auto client : group.clients) {
            const auto& name = out_.nodes[client].name;
            add_link(client, edge, link_class::cs_up, scene_.link.cs_up, draw_bandwidth(scene_.link.cs_up, name));
            add_link(edge, client, link_class::cs_down, scene_.link.cs_down, draw_bandwidth(scene_.link.cs_down, name));
        }
    }

    const scenario& scene_;
    topology out_;
};

} // namespace

std::vector<int> even_split(int depth, int members, bool head_at_the_last) {
    std::vector<int> blocks(static_cast<std::size_t>(members), 0);
    const int first = members >= 3 ? 1 : 0;
    const int sharing = members - first - (members >= 3 && head_at_the_last ? 1 : 0);
    for (int i = 0; i < sharing; ++i) {
        blocks[static_cast<std::size_t>(first + i)] = depth / sharing + (i < depth % sharing ? 1 : 0);
    }
    return blocks;
}

topology make_topology(const scenario& scene) { return builder(scene).build(); }

} // namespace gaisnet
