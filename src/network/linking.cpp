#include "network/linking.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "network/link_model.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace gaisnet {

namespace {

class linker {
public:
    linker(topology& net, const scenario& scene, const override_index& overrides, const backward_hops& backward,
           double at_s)
        : scene_(scene)
        , overrides_(overrides)
        , backward_(backward)
        , at_s_(at_s)
        , out_(net) {}

    void add_all() {
        for (const auto& group : out_.clusters) {
            clusters_of_edge_[group.edge] += 1.0;
        }
        for (const auto& group : out_.clusters) {
            add_links(group);
        }
        for (std::uint32_t edge = 0; out_.cloud && edge < static_cast<std::uint32_t>(out_.edges); ++edge) {
            add_link(edge, *out_.cloud, link_class::backhaul, -1);
            add_link(*out_.cloud, edge, link_class::backhaul, -1);
        }
        fill_media();
        check_reach();
    }

private:
    /// Bandwidth, Hz; 0: not set.
    double draw_bandwidth(const link_settings& settings, const std::string& owner) const {
        random_stream stream(scene_.seed, "link.bandwidth", owner);
        return settings.bandwidth ? settings.bandwidth->draw(stream) : 0.0;
    }

    /// The band of a private link. A fixed rate or trace gets the band that it needs; a radio link has its configured
    /// band.
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
        // One band for all links of a client, or for the links of an edge to the cloud.
        const auto& from = out_.nodes[one.from];
        const bool is_client =
            from.role == node_role::client || (one.kind == link_class::backhaul && from.role == node_role::edge);
        return draw_bandwidth(settings, out_.nodes[is_client ? one.from : one.to].name);
    }

    /// Clusters among which an edge's private D2D band is divided.
    double sharers_of(int edge) const {
        return scene_.cluster.sharing_band > 0 ? scene_.cluster.sharing_band : clusters_of_edge_.at(edge);
    }
    std::string owner_of(int edge) const { return edge < 0 ? "cloud" : out_.nodes[edge].name; }

    /// The medium of a class under an edge (-1: shared by all edges); none if its links share nothing.
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

    /// \param divided part of a band, for a link that shares no medium; absent: the link has its own band.
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
        const auto* said = overrides_.link(out_.nodes[from].name, out_.nodes[to].name);
        const auto given = said ? *said : link_override();
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
            const auto state = out_.radio->state(kind, *settings.radio, from, to, parameters.bandwidth_hz, at_s_);
            made.by_radio = true;
            made.rate_bit_s = state.rate_bit_s;
            made.distance_m = state.distance_m;
            made.path_loss_db = state.path_loss_db;
        }
        if (settings.model != "auto") {
            made.rate_bit_s = make_rate_model({scene_, out_, made})->rate_at(at_s_);
        }
        link_names_.insert(parameters.name);
        out_.links.push_back(std::move(made));
    }

    /// Adds D2D links between neighbours of the chain in both directions (for inference: downstream, and from the end
    /// point to the start point), and links between edge and clients. The roles decide which of them carry something.
    void add_links(const cluster& group) {
        const auto edge = static_cast<std::uint32_t>(group.edge);
        // An edge's private D2D band is divided over its clusters, then over the directed hops of a chain that carry
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
            const double share = band / sharers_of(group.edge) / static_cast<double>(hops.size());
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

    /// Adds links between clients that become neighbours when the clients between them are lost. Each uses the band of
    /// a hop that no longer exists.
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

    /// Sets the capacities and bands that are not configured to those of the fastest link.
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
                if (one.medium == i && one.parameters.bandwidth_hz == 0.0) { // otherwise network.file sets it
                    one.parameters.bandwidth_hz = shared.bandwidth_hz;
                }
            }
        }
    }

    /// Rejects clusters whose links are too slow.
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
                       : "cluster " + out_.clusters[group].name + " cannot be formed: ") +
            kind + " " + from.name + " -> " + to.name + " at " + quantity(worst->distance_m, "m") + " carries " +
            quantity(worst->rate_bit_s, "bit/s") + ", less than link." + kind +
            ".min_rate = " + quantity(settings_of(scene_, worst->parameters.kind).radio->min_rate, "bit/s") +
            (count > 1 ? ", and so do " + std::to_string(count - 1) + " more links" : "") +
            ": nodes closer together, more power or bandwidth, or a lower min_rate is accepted");
    }

    const scenario& scene_;
    const override_index& overrides_;
    const backward_hops& backward_;
    double at_s_;
    topology& out_;
    std::map<int, double> clusters_of_edge_;
    std::set<std::string> link_names_;
    std::map<std::pair<link_class, int>, std::size_t> media_;
};

} // namespace

void add_links(topology& net, const scenario& scene, const override_index& overrides, const backward_hops& backward,
               double at_s) {
    linker(net, scene, overrides, backward, at_s).add_all();
}

} // namespace gaisnet
