#include "network/topology.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "network/doubtful_figures.hpp"

#include <algorithm>
#include <map>
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
    device.rate_flop_s *= draw(settings.efficiency, "device.efficiency");
    device.factor = draw(settings.factor, "device.factor");
    if (settings.sleep_power) {
        device.sleep_power_w = draw(*settings.sleep_power, "device.sleep_power");
    }
    if (settings.battery) {
        device.battery_j = draw(*settings.battery, "device.battery");
    }
    device.tx_power_w = draw(settings.tx_power, "device.tx_power");
    device.radio = {draw(settings.amplifier_efficiency, "device.amplifier_efficiency"),
                    draw(settings.circuit_power, "device.circuit_power"), draw(settings.rx_power, "device.rx_power"),
                    draw(settings.idle_power, "device.idle_power")};
    device.base_power_w = draw(settings.base_power, "device.base_power");
    device.memory_bytes = static_cast<std::uint64_t>(draw(settings.memory, "device.memory"));
    device.sense_time_s = scene.sense.time;
    device.sense_energy_j = scene.sense.energy;
    return device;
}

/// Applies what network.file says about a node.
void apply(const node_override& given, device_model& device) {
    device.rate_flop_s = given.rate.value_or(device.rate_flop_s);
    device.power_w = given.power.value_or(device.power_w);
    device.tx_power_w = given.tx_power.value_or(device.tx_power_w);
    device.radio.amplifier_efficiency = given.amplifier_efficiency.value_or(device.radio.amplifier_efficiency);
    device.radio.circuit_w = given.circuit_power.value_or(device.radio.circuit_w);
    device.radio.receive_w = given.rx_power.value_or(device.radio.receive_w);
    device.radio.idle_w = given.idle_power.value_or(device.radio.idle_w);
    device.base_power_w = given.base_power.value_or(device.base_power_w);
    device.battery_j = given.battery.value_or(device.battery_j);
    if (given.sleep_power) {
        device.sleep_power_w = given.sleep_power;
    }
    if (given.memory) {
        device.memory_bytes = static_cast<std::uint64_t>(*given.memory);
    }
}

class builder {
public:
    builder(const scenario& scene, const backward_hops& backward): scene_(scene), backward_(backward) {
        for (const auto& one : scene.network.overrides.nodes) {
            nodes_given_[one.name] = &one;
        }
        for (const auto& one : scene.network.overrides.links) {
            links_given_[{one.from, one.to}] = &one;
        }
    }

    topology build() {
        out_.edges = scene_.network.edges;
        for (int edge = 0; edge < out_.edges; ++edge) {
            add_node({"edge" + std::to_string(edge), node_role::edge, edge, -1, -1, {}}, scene_.device.edge);
        }
        for (int edge = 0; edge < out_.edges; ++edge) {
            for (int index = 0; index < scene_.network.clusters; ++index) {
                add_cluster(edge, index);
            }
        }
        if (scene_.cloud.period > 0) {
            out_.cloud = static_cast<std::uint32_t>(out_.nodes.size());
            add_node({"cloud", node_role::cloud, -1, -1, -1, {}}, scene_.device.cloud);
        }
        place_nodes();
        for (const auto& group : out_.clusters) {
            add_links(group);
        }
        for (std::uint32_t edge = 0; out_.cloud && edge < static_cast<std::uint32_t>(out_.edges); ++edge) {
            add_link(edge, *out_.cloud, link_class::backhaul, -1);
            add_link(*out_.cloud, edge, link_class::backhaul, -1);
        }
        fill_media();
        out_.warnings = doubtful_figures(scene_, out_);
        check_given_names();
        check_reach();
        return std::move(out_);
    }

private:
    void add_node(node member, const device_settings& settings) {
        member.device = draw_device(settings, scene_, member.name);
        if (const auto given = nodes_given_.find(member.name); given != nodes_given_.end()) {
            if (given->second->battery && member.role != node_role::client) {
                throw usage_error("network.file: " + member.name + ": only a client has a battery");
            }
            apply(*given->second, member.device);
        }
        if (!index_of_.emplace(member.name, static_cast<std::uint32_t>(out_.nodes.size())).second) {
            throw usage_error("network.file: two nodes have the name " + member.name);
        }
        out_.nodes.push_back(std::move(member));
    }

    std::vector<std::string> client_names(int edge, int index, const std::string& group) const {
        const auto& given = scene_.network.overrides.clients;
        if (!given.empty()) {
            return given.at(static_cast<std::size_t>(edge)).at(static_cast<std::size_t>(index));
        }
        const auto& sizes = scene_.network.clients;
        std::vector<std::string> names;
        for (int member = 0; member < (sizes.size() == 1 ? sizes[0] : sizes.at(static_cast<std::size_t>(index)));
             ++member) {
            names.push_back(group + "." + std::to_string(member));
        }
        return names;
    }

    void add_cluster(int edge, int index) {
        const std::string prefix = out_.edges > 1 ? "e" + std::to_string(edge) + "." : "";
        cluster group{prefix + "c" + std::to_string(index), edge, {}, {}};
        const int global = static_cast<int>(out_.clusters.size());
        int member = 0;
        for (const auto& name : client_names(edge, index, group.name)) {
            const auto number = static_cast<std::uint32_t>(out_.nodes.size());
            group.clients.push_back(number);
            ++clients_of_edge_.try_emplace(edge, number, 0U).first->second.second;
            add_node({name, node_role::client, edge, global, member++, {}}, scene_.device.client);
        }
        make_chain(group, index);
        out_.clusters.push_back(std::move(group));
    }

    /// Centre of an edge's cell: a square lattice. Without cells all edges serve the same area.
    position centre_of(int edge) const {
        if (scene_.link.access == access_kind::cell_free) {
            return {};
        }
        int side = 1;
        while (side * side < out_.edges) {
            ++side;
        }
        const double step = scene_.network.edge_distance.value_or(2.0 * scene_.network.radius);
        return {step * (edge % side), step * (edge / side)};
    }

    struct region {
        position start, centre;
        double radius_m = 0;
    };

    /// Where a client stands, and the disc in which it may move.
    region region_of(const node& client) const {
        const auto centre = centre_of(client.edge);
        const double radius = scene_.network.radius;
        const auto given = nodes_given_.find(client.name);
        const auto place = given != nodes_given_.end() ? given->second->place : std::nullopt;
        if (scene_.network.layout == layout_kind::list) {
            if (!place) {
                throw usage_error("network.layout = list: network.file gives no position of " + client.name);
            }
            return {*place, centre, radius};
        }
        if (scene_.network.layout == layout_kind::grid) {
            const auto& [first, count] = clients_of_edge_.at(client.edge);
            return {place.value_or(lattice_point(index_of_.at(client.name) - first, count, centre, radius)), centre,
                    radius};
        }
        const double around = std::min(scene_.network.cluster_radius, radius);
        random_stream group(scene_.seed, "position.cluster",
                            out_.clusters[static_cast<std::size_t>(client.cluster)].name);
        random_stream own(scene_.seed, "position", client.name);
        const auto middle = draw_in_disc(group, centre, radius - around);
        return {place.value_or(draw_in_disc(own, middle, around)), middle, around};
    }

    /// Where network.file puts a node, else `otherwise`.
    position place_of(const std::string& name, position otherwise) const {
        const auto given = nodes_given_.find(name);
        return given != nodes_given_.end() && given->second->place ? *given->second->place : otherwise;
    }

    std::vector<trajectory> antennas_of(const node& member) const {
        const auto& mobility = scene_.mobility;
        if (mobility.paths) {
            if (const auto found = mobility.paths->find(member.name); found != mobility.paths->end()) {
                return {trajectory(found->second)};
            }
        }
        if (member.role == node_role::client) {
            const auto where = region_of(member);
            return {mobility.kind == mobility_kind::waypoint
                        ? trajectory(where.start, where.centre, where.radius_m, mobility.speed, mobility.pause,
                                     scene_.seed, member.name)
                        : trajectory(where.start)};
        }
        if (member.role == node_role::cloud) {
            return {trajectory(place_of(member.name, {}))};
        }
        const auto centre = centre_of(member.edge);
        if (scene_.link.access == access_kind::cell_free) {
            std::vector<trajectory> points;
            for (int i = 0; i < scene_.link.access_points; ++i) {
                random_stream stream(scene_.seed, "position", member.name + ".ap" + std::to_string(i));
                points.emplace_back(draw_in_disc(stream, centre, scene_.network.radius));
            }
            return points;
        }
        return {trajectory(place_of(member.name, centre))};
    }

    void place_nodes() {
        std::vector<radio_site> sites;
        for (const auto& member : out_.nodes) {
            auto& site = sites.emplace_back(radio_site{member.name, antennas_of(member), {}});
            for (const auto kind : {link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul}) {
                site.radiated_w[static_cast<std::size_t>(kind)] = radiated_w(scene_, member, kind);
            }
        }
        out_.radio = std::make_shared<radio_map>(scene_.seed, scene_.mobility.step, std::move(sites));
    }

    void make_chain(cluster& group, int index) const {
        auto members = group.clients;
        const auto edge = static_cast<std::uint32_t>(group.edge);
        switch (scene_.scheme) {
        case scheme_kind::hfsl: break;
        case scheme_kind::fl: members.resize(1); break;
        case scheme_kind::sl:
        case scheme_kind::splitfed: members = {members.front(), edge}; break;
        case scheme_kind::centralised: members = {edge}; break;
        }
        if (scene_.cluster.edge_stage) {
            const auto position = *scene_.cluster.edge_stage;
            if (position < 2 || position > static_cast<int>(members.size()) + 1) {
                throw usage_error("cluster.edge_stage = " + std::to_string(position) + ": cluster " + group.name +
                                  " accepts 2 to " + std::to_string(members.size() + 1));
            }
            members.insert(members.begin() + (position - 1), edge);
        }
        const bool labels_stay = scene_.train.labels == label_route::local;
        const auto& shares = scene_.cluster.edge_blocks;
        const int of_edge = shares.empty() ? 0 : shares.at(out_.clusters.size());
        auto blocks = of_edge > 0 ? even_split(static_cast<int>(scene_.model.vit.depth) - of_edge,
                                               static_cast<int>(members.size()), !labels_stay && members.size() > 1)
                                  : blocks_of(index, group.name, static_cast<int>(members.size()), !labels_stay);
        if (of_edge > 0) {
            members.insert(members.begin() + 1, edge);
            blocks.insert(blocks.begin() + 1, of_edge);
        }
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

    /// Hz; 0: not given.
    double draw_bandwidth(const link_settings& settings, const std::string& owner) const {
        random_stream stream(scene_.seed, "link.bandwidth", owner);
        return settings.bandwidth ? settings.bandwidth->draw(stream) : 0.0;
    }

    /// The band of a private link. Fixed rates and traces have what carries them; radio has what it is given.
    double own_band(const network_link& link, const link_settings& settings, std::optional<double> divided) const {
        const auto& one = link.parameters;
        if (settings.wired_j_bit) {
            return 0.0;
        }
        if (divided) {
            return *divided;
        }
        if (!settings.bandwidth) {
            return link.fastest_rate() / settings.spectral_efficiency;
        }
        // The band of a client's links, or of an edge's to the cloud.
        const auto& from = out_.nodes[one.from];
        const bool is_client =
            from.role == node_role::client || (one.kind == link_class::backhaul && from.role == node_role::edge);
        return draw_bandwidth(settings, out_.nodes[is_client ? one.from : one.to].name);
    }

    std::string owner_of(int edge) const {
        return edge < 0 ? "cloud" : out_.nodes[static_cast<std::size_t>(edge)].name;
    }

    /// The medium of a class under an edge (-1: of all edges); none when its links share nothing.
    std::optional<std::size_t> medium_of(link_class kind, int edge) {
        const auto& settings = settings_of(scene_, kind);
        if (settings.share == share_kind::exclusive) {
            return std::nullopt;
        }
        const auto [known, fresh] = media_.try_emplace({kind, edge}, out_.media.size());
        if (fresh) {
            out_.media.push_back({kind, settings.share, edge, draw_bandwidth(settings, owner_of(edge)), 0.0});
        }
        return known->second;
    }

    /// \param divided its part of a band, for a link that shares no medium; absent: it has a band of its own.
    void add_link(std::uint32_t from, std::uint32_t to, link_class kind, int edge, std::optional<double> divided = {}) {
        const auto& settings = settings_of(scene_, kind);
        network_link made;
        auto& parameters = made.parameters;
        parameters.from = from;
        parameters.to = to;
        parameters.kind = kind;
        parameters.name = out_.nodes[from].name + "->" + out_.nodes[to].name;
        random_stream rate(scene_.seed, "link.rate", parameters.name);
        random_stream latency(scene_.seed, "link.latency", parameters.name);
        made.medium = medium_of(kind, edge);
        parameters.latency_s = settings.latency.draw(latency);
        parameters.wired_j_bit = settings.wired_j_bit;
        parameters.radiated_w = settings.wired_j_bit ? 0.0 : radiated_w(scene_, out_.nodes[from], kind);
        parameters.jitter = settings.jitter;
        parameters.loss = settings.loss;
        parameters.packet_bytes = settings.packet;
        const auto found = links_given_.find({out_.nodes[from].name, out_.nodes[to].name});
        const auto given = found == links_given_.end() ? link_override() : *found->second;
        parameters.latency_s = given.latency.value_or(parameters.latency_s);
        parameters.loss = given.loss.value_or(parameters.loss);
        if (given.rate && settings.share == share_kind::reuse) {
            throw usage_error("network.file: " + parameters.name + ": with link." + name_of(kind) +
                              ".share = reuse rates follow from signal and interference; no rate is accepted");
        }
        if (given.rate) {
            made.rate_bit_s = *given.rate;
        } else if (!settings.radio && settings.trace) {
            made.trace = settings.trace;
            made.rate_bit_s = settings.trace->bits_per_second.front();
        } else if (!settings.radio) {
            made.rate_bit_s = settings.rate.draw(rate);
        }
        if (given.bandwidth && settings.wired_j_bit) {
            throw usage_error("network.file: " + parameters.name + ": link." + name_of(kind) +
                              ".energy_per_bit makes it a cable; no bandwidth is accepted");
        }
        parameters.bandwidth_hz =
            given.bandwidth.value_or(made.medium ? out_.media[*made.medium].bandwidth_hz
                                                 : own_band(made, settings, settings.radio ? divided : std::nullopt));
        if (settings.radio && !given.rate) {
            const auto state = out_.radio->state(kind, *settings.radio, from, to, parameters.bandwidth_hz, 0.0);
            made.by_radio = true;
            made.rate_bit_s = state.rate_bit_s;
            made.distance_m = state.distance_m;
            made.path_loss_db = state.path_loss_db;
        }
        link_names_.insert(parameters.name);
        out_.links.push_back(std::move(made));
    }

    /// D2D between neighbours of the chain, in both directions (for inference: downstream, and from the end point to
    /// the start point), and edge to client and back. Which of them carry something is the roles' business.
    void add_links(const cluster& group) {
        const auto edge = static_cast<std::uint32_t>(group.edge);
        // A private D2D band of an edge is divided over its clusters, then over the directed hops of a chain that carry
        // something.
        std::set<std::pair<std::uint32_t, std::uint32_t>> hops, idle;
        const auto backward = backward_ ? backward_(group) : std::vector<bool>(group.chain.size(), true);
        for (std::size_t i = 0; i + 1 < group.chain.size(); ++i) {
            const auto from = group.chain[i].node, to = group.chain[i + 1].node;
            if (from != to && from != edge && to != edge) {
                hops.emplace(from, to);
                if (scene_.service == service_kind::fine_tuning) {
                    (backward[i + 1] && scene_.link.charge_gradients ? hops : idle).emplace(to, from);
                }
            }
        }
        std::erase_if(idle, [&](const auto& hop) { return hops.contains(hop); });
        const auto start_point = group.chain.front().node, end_point = group.chain.back().node;
        if (scene_.service == service_kind::inference && end_point != start_point && end_point != edge) {
            hops.emplace(end_point, start_point);
        }
        if (!hops.empty()) {
            const double band = draw_bandwidth(scene_.link.d2d, out_.nodes[edge].name);
            const double share = band / scene_.network.clusters / static_cast<double>(hops.size());
            for (const auto& [from, to] : hops) {
                add_link(from, to, link_class::d2d, group.edge, share);
            }
            for (const auto& [from, to] : idle) {
                add_link(from, to, link_class::d2d, group.edge, share);
                out_.links.back().spare = true;
            }
            hops.merge(idle);
            if (scene_.dropout.policy == dropout_policy::repair && scene_.service == service_kind::fine_tuning) {
                add_spare_links(group, hops, share);
            }
        }
        for (const auto client : group.clients) {
            add_link(client, edge, link_class::cs_up, group.edge);
            add_link(edge, client, link_class::cs_down, group.edge);
        }
    }

    /// Between clients that become neighbours when those between them are lost: in the band of a hop that is gone then.
    void add_spare_links(const cluster& group, const std::set<std::pair<std::uint32_t, std::uint32_t>>& hops,
                         double band) {
        for (const auto& a : group.chain) {
            for (const auto& b : group.chain) {
                const bool clients = a.node != b.node && out_.nodes[a.node].role == node_role::client &&
                                     out_.nodes[b.node].role == node_role::client;
                if (clients && !hops.contains({a.node, b.node}) &&
                    !link_names_.contains(out_.nodes[a.node].name + "->" + out_.nodes[b.node].name)) {
                    add_link(a.node, b.node, link_class::d2d, group.edge, band);
                    out_.links.back().spare = true;
                }
            }
        }
    }

    /// Capacities and bands that are not given: those of the fastest link.
    void fill_media() {
        for (std::size_t i = 0; i < out_.media.size(); ++i) {
            auto& shared = out_.media[i];
            const auto& settings = settings_of(scene_, shared.kind);
            for (const auto& one : out_.links) {
                if (one.medium == i) {
                    shared.capacity_bit_s = std::max(shared.capacity_bit_s, one.fastest_rate());
                }
            }
            if (settings.capacity) {
                random_stream stream(scene_.seed, "link.capacity", owner_of(shared.edge));
                shared.capacity_bit_s = settings.capacity->draw(stream);
            }
            if (settings.bandwidth || settings.wired_j_bit) {
                continue;
            }
            shared.bandwidth_hz = shared.capacity_bit_s / settings.spectral_efficiency;
            for (auto& one : out_.links) {
                if (one.medium == i && one.parameters.bandwidth_hz == 0.0) { // else network.file gives one
                    one.parameters.bandwidth_hz = shared.bandwidth_hz;
                }
            }
        }
    }

    const std::string& last_client() const { return out_.nodes[out_.clusters.back().clients.back()].name; }

    /// What names look like here.
    std::string like() const { return "; names are like " + out_.nodes.front().name + " and " + last_client(); }

    /// Names in network.file and in a file of movements that no node or link has are mistakes.
    void check_given_names() const {
        for (const auto& [name, given] : nodes_given_) {
            if (!index_of_.contains(name)) {
                throw usage_error("network.file: there is no node " + name +
                                  (name == "cloud" ? ", since cloud.period is 0" : like()));
            }
        }
        for (const auto& [ends, given] : links_given_) {
            // Inference sends nothing upstream, but the same file may describe fine-tuning.
            const bool of_training = scene_.service == service_kind::inference && index_of_.contains(ends.first) &&
                                     index_of_.contains(ends.second);
            if (!link_names_.contains(ends.first + "->" + ends.second) && !of_training) {
                throw usage_error("network.file: nothing is sent from " + ends.first + " to " + ends.second);
            }
        }
        for (const auto& one : scene_.dropout.schedule) {
            const auto found = index_of_.find(one.client);
            if (found == index_of_.end() || out_.nodes[found->second].role != node_role::client) {
                throw usage_error("dropout.schedule: there is no client " + one.client + "; names are like " +
                                  out_.nodes[out_.clusters.front().clients.front()].name + " and " + last_client());
            }
        }
        for (const auto& [name, points] : scene_.mobility.paths ? *scene_.mobility.paths : recorded_paths()) {
            if (!index_of_.contains(name)) {
                throw usage_error("mobility.file: there is no node " + name + like());
            }
        }
    }

    /// A cluster whose links are too slow cannot be formed.
    void check_reach() const {
        const network_link* worst = nullptr;
        std::size_t count = 0;
        for (const auto& one : out_.links) {
            const auto& radio = settings_of(scene_, one.parameters.kind).radio;
            if (one.by_radio && !one.spare && one.rate_bit_s < radio->min_rate) {
                ++count;
                worst = worst && worst->rate_bit_s <= one.rate_bit_s ? worst : &one;
            }
        }
        if (!worst) {
            return;
        }
        const auto& from = out_.nodes[worst->parameters.from];
        const auto& to = out_.nodes[worst->parameters.to];
        const std::string kind = name_of(worst->parameters.kind);
        const int group = std::max(from.cluster, to.cluster);
        throw usage_error(
            (group < 0 ? "the cloud cannot be reached: "
                       : "cluster " + out_.clusters[static_cast<std::size_t>(group)].name + " cannot be formed: ") +
            kind + " " + from.name + " -> " + to.name + " at " + quantity(worst->distance_m, "m") + " carries " +
            quantity(worst->rate_bit_s, "bit/s") + ", less than link." + kind +
            ".min_rate = " + quantity(settings_of(scene_, worst->parameters.kind).radio->min_rate, "bit/s") +
            (count > 1 ? ", and so do " + std::to_string(count - 1) + " more links" : "") +
            ": nodes closer together, more power or bandwidth, or a lower min_rate is accepted");
    }

    const scenario& scene_;
    const backward_hops& backward_;
    std::map<std::string, const node_override*> nodes_given_;
    std::map<std::pair<std::string, std::string>, const link_override*> links_given_;
    std::map<std::string, std::uint32_t> index_of_;
    std::map<int, std::pair<std::uint32_t, std::uint32_t>> clients_of_edge_; ///< The first, and how many.
    std::set<std::string> link_names_;
    std::map<std::pair<link_class, int>, std::size_t> media_;
    topology out_;
};

} // namespace

const link_settings& settings_of(const scenario& scene, link_class kind) {
    switch (kind) {
    case link_class::cs_up: return scene.link.cs_up;
    case link_class::cs_down: return scene.link.cs_down;
    case link_class::d2d: return scene.link.d2d;
    case link_class::backhaul:
    case link_class::none: break;
    }
    return scene.link.backhaul;
}

std::vector<int> even_split(int depth, int members, bool head_at_the_last) {
    std::vector<int> blocks(static_cast<std::size_t>(members), 0);
    const int first = members >= 3 ? 1 : 0;
    const int sharing = members - first - (members >= 3 && head_at_the_last ? 1 : 0);
    for (int i = 0; i < sharing; ++i) {
        blocks[static_cast<std::size_t>(first + i)] = depth / sharing + (i < depth % sharing ? 1 : 0);
    }
    return blocks;
}

double network_link::fastest_rate() const {
    return trace ? *std::max_element(trace->bits_per_second.begin(), trace->bits_per_second.end()) : rate_bit_s;
}

const network_link* topology::link_between(std::uint32_t from, std::uint32_t to) const {
    const auto found = std::find_if(links.begin(), links.end(), [&](const network_link& one) {
        return one.parameters.from == from && one.parameters.to == to;
    });
    return found == links.end() ? nullptr : &*found;
}

topology make_topology(const scenario& scene, const backward_hops& backward) {
    return builder(scene, backward).build();
}

double radiated_w(const scenario& scene, const node& who, link_class kind) {
    const auto& settings = settings_of(scene, kind);
    if (!settings.tx_power) {
        return who.device.tx_power_w;
    }
    random_stream stream(scene.seed, "link.tx_power", who.name);
    return settings.tx_power->draw(stream);
}

} // namespace gaisnet
