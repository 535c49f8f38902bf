#include "planning/forecast.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

namespace gaisnet {

namespace {

constexpr double bits_a_byte = 8.0;

const network_link& link_of(const deployment& deploy, const resource_use& use) {
    return *std::find_if(deploy.net.links.begin(), deploy.net.links.end(), [&](const network_link& one) {
        return one.parameters.from == use.node && one.parameters.to == use.peer;
    });
}

std::string rate_text(const deployment& deploy, const resource_use& use) {
    const auto& link = link_of(deploy, use);
    auto text =
        quantity(use.occupied_s > 0.0 ? static_cast<double>(use.bytes) * bits_a_byte / use.occupied_s : 0.0, "bit/s");
    if (link.by_radio) {
        text += " at " + quantity(link.distance_m, "m");
    }
    return text;
}

constexpr double tiny = 1e-300;

double latency_of_all(const forecast& found) {
    double all = 0.0;
    for (const auto& row : found.rounds) {
        all += row.latency_s;
    }
    return all;
}

/// Total latency of each edge's rounds; -1 (the cloud): that of the slowest edge.
std::map<int, double> latency_by_edge(const forecast& found) {
    std::map<int, double> all;
    for (const auto& row : found.rounds) {
        all[static_cast<int>(row.edge)] += row.latency_s;
    }
    double slowest = 0.0;
    for (const auto& [edge, seconds] : all) {
        slowest = std::max(slowest, seconds);
    }
    all[-1] = slowest;
    return all;
}

/// A time as a fraction of the rounds of a node's edge.
double part_of_round(const deployment& deploy, const forecast& found, std::uint32_t node, double seconds) {
    const double all = latency_by_edge(found)[deploy.net.nodes[node].edge];
    return all > 0.0 ? seconds / all : 0.0;
}

void by_importance(std::vector<resource_use>& uses) {
    std::stable_sort(uses.begin(), uses.end(), [](const resource_use& a, const resource_use& b) {
        return std::tie(a.critical_s, a.energy_j) > std::tie(b.critical_s, b.energy_j);
    });
}

} // namespace

std::pair<double, energy_parts> totals_of(std::span<const round_row> rounds) {
    std::map<std::uint32_t, double> by_edge;
    energy_parts energy;
    for (const auto& row : rounds) {
        by_edge[row.edge] += row.latency_s;
        energy += row.energy;
    }
    double latency = 0.0;
    for (const auto& [edge, seconds] : by_edge) {
        latency = std::max(latency, seconds);
    }
    return {latency, energy};
}

resource_use& forecaster::use_of(std::uint32_t node, std::uint32_t peer, link_class link) {
    auto& use = uses_[{node, peer}];
    use.node = node;
    use.peer = peer;
    use.link = link;
    return use;
}

void forecaster::add(const round_forecast& round) {
    out_.rounds.insert(out_.rounds.end(), round.rounds.begin(), round.rounds.end());
    out_.nodes.insert(out_.nodes.end(), round.nodes.begin(), round.nodes.end());
    for (const auto& part : round.critical) {
        if (part.kind == event_kind::wait) {
            out_.waiting_s += part.seconds;
        } else {
            use_of(part.node, part.peer, part.link).critical_s += part.seconds;
        }
    }
    for (const auto& event : round.events) {
        if (event.kind == event_kind::wait) {
            continue;
        }
        auto& use = use_of(event.node, event.peer, event.link);
        use.occupied_s += event.end_s - event.start_s;
        use.flops += event.flops;
        use.bytes += event.bytes;
        use.transfers += event.receivers > 0 ? 1 : 0;
        use.energy_j += event.energy_j;
        use.airtime_hz_s += event.airtime_hz_s;
    }
}

forecast forecaster::take() {
    for (const auto& [ends, use] : uses_) {
        (use.node == use.peer ? out_.devices : out_.links).push_back(use);
    }
    by_importance(out_.devices);
    by_importance(out_.links);
    return std::move(out_);
}

std::string bottleneck(const deployment& deploy, const forecast& found) {
    const auto share_of = [&](const resource_use& use) {
        return part_of_round(deploy, found, use.node, use.critical_s);
    };
    const auto largest = [&](const std::vector<resource_use>& uses) {
        return std::max_element(uses.begin(), uses.end(),
                                [&](const auto& a, const auto& b) { return share_of(a) < share_of(b); });
    };
    const auto device = largest(found.devices), link = largest(found.links);
    const auto text = [](double share) { return fmt::format("{:.0f} % of the round", 100.0 * share); };
    const double by_device = device == found.devices.end() ? 0.0 : share_of(*device);
    const double by_link = link == found.links.end() ? 0.0 : share_of(*link);
    if (const double waiting = found.waiting_s / std::max(latency_of_all(found), tiny);
        waiting > std::max(by_device, by_link)) {
        return "waiting for the deadline takes " + text(waiting);
    }
    if (by_link > 0.0 && by_link >= by_device) {
        return fmt::format("{} {} -> {} takes {}: {}", name_of(link->link), deploy.net.nodes[link->node].name,
                           deploy.net.nodes[link->peer].name, text(by_link), rate_text(deploy, *link));
    }
    if (by_device == 0.0) {
        return "nothing takes any time";
    }
    const auto& who = deploy.net.nodes[device->node];
    return fmt::format("{} takes {}: it computes {} at {}{}", who.name, text(by_device),
                       quantity(device->flops, "FLOP"), quantity(who.device.rate_flop_s, "FLOP/s"),
                       who.member == 0 ? ", and senses" : "");
}

int rounds_to_vary(std::uint64_t events, int rounds, int period) {
    constexpr std::uint64_t enough = 500'000;
    const auto a_round = std::max<std::uint64_t>(1, events / static_cast<std::uint64_t>(std::max(1, rounds)));
    return std::clamp(static_cast<int>(enough / a_round), std::min(std::max(2, period), rounds), rounds);
}

std::vector<sensitivity> halve_each(const deployment& deploy, int rounds) {
    return halve_each(deploy, [rounds](const deployment& changed) {
        ledger_run ledger(changed);
        std::vector<round_row> rows;
        for (int round = 1; round <= rounds; ++round) {
            const auto played = ledger.play(round);
            rows.insert(rows.end(), played.rounds.begin(), played.rounds.end());
        }
        return totals_of(rows);
    });
}

std::vector<sensitivity> halve_each(const deployment& deploy,
                                    const std::function<std::pair<double, energy_parts>(const deployment&)>& take) {
    std::vector<sensitivity> out;
    const auto play = [&](const std::string& name, const std::function<bool(topology&)>& change) {
        auto changed = deploy;
        if (!change(changed.net)) {
            return;
        }
        const auto [latency, energy] = take(changed);
        out.push_back({name, latency, energy});
    };
    for (const auto kind : {link_class::d2d, link_class::cs_up, link_class::cs_down, link_class::backhaul}) {
        const auto links = [kind](topology& net, const std::function<bool(network_link&)>& change) {
            bool any = false;
            for (auto& one : net.links) {
                any = (one.parameters.kind == kind && change(one)) || any;
            }
            return any;
        };
        const std::string prefix = std::string("link.") + name_of(kind);
        play(prefix + ".rate", [&](topology& net) {
            for (auto& shared : net.media) {
                shared.capacity_bit_s *= shared.kind == kind ? 0.5 : 1.0;
            }
            return links(net, [](network_link& one) {
                one.rate_factor *= 0.5;
                return true;
            });
        });
        play(prefix + ".latency", [&](topology& net) {
            return links(net, [](network_link& one) {
                one.parameters.latency_s *= 0.5;
                return one.parameters.latency_s > 0.0;
            });
        });
    }
    for (const auto role : {node_role::client, node_role::edge, node_role::cloud}) {
        play(std::string("device.") + name_of(role) + ".rate", [&](topology& net) {
            bool any = false;
            for (auto& one : net.nodes) {
                if (one.role == role) {
                    one.device.rate_flop_s *= 0.5;
                    one.device.factor *= 0.5;
                    any = true;
                }
            }
            return any;
        });
    }
    play("sense.time", [&](topology& net) {
        bool any = false;
        for (auto& one : net.nodes) {
            one.device.sense_time_s *= 0.5;
            any = any || one.device.sense_time_s > 0.0;
        }
        return any;
    });
    return out;
}

std::string resource_tables(const deployment& deploy, const forecast& found, std::size_t most) {
    std::string text;
    const auto out = std::back_inserter(text);
    auto latency = latency_by_edge(found);
    const auto share = [&](std::uint32_t node, double seconds) {
        const double all = latency[deploy.net.nodes[node].edge];
        return all > 0.0 ? fmt::format("{:.1f} %", 100.0 * seconds / all) : "-";
    };
    std::map<std::uint32_t, node_row> sums; // energy and bytes summed over the rounds, memory at its peak
    for (const auto& row : found.nodes) {
        auto& sum = sums[row.node];
        static_cast<energy_parts&>(sum) += row;
        sum.bytes_sent += row.bytes_sent;
        sum.bytes_received += row.bytes_received;
        sum.busy_s += row.busy_s;
        sum.total_bytes = std::max(sum.total_bytes, row.total_bytes);
    }
    std::map<std::uint32_t, double> critical;
    for (const auto& use : found.devices) {
        critical[use.node] = use.critical_s;
    }
    std::vector<std::uint32_t> order;
    for (const auto& [node, sum] : sums) {
        order.push_back(node);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::pair(critical[a], sums[a].total_j()) > std::pair(critical[b], sums[b].total_j());
    });
    fmt::format_to(out, "{:<16}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "By node", "critical", "busy", "energy", "sent",
                   "received", "memory");
    for (std::size_t i = 0; i < order.size() && i < most; ++i) {
        const auto& sum = sums[order[i]];
        fmt::format_to(out, "  {:<14}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}\n", deploy.net.nodes[order[i]].name,
                       share(order[i], critical[order[i]]), quantity(sum.busy_s, "s"), quantity(sum.total_j(), "J"),
                       quantity(static_cast<double>(sum.bytes_sent), "B"),
                       quantity(static_cast<double>(sum.bytes_received), "B"),
                       quantity(static_cast<double>(sum.total_bytes), "B"));
    }
    if (order.size() > most) {
        fmt::format_to(out, "  ... and {} more nodes\n", order.size() - most);
    }
    fmt::format_to(out, "{:<26}{:>10}{:>12}{:>12}{:>14}{:>12}  {}\n", "By link", "critical", "occupied", "sent",
                   "spectrum", "energy", "mean rate");
    for (std::size_t i = 0; i < found.links.size() && i < most; ++i) {
        const auto& use = found.links[i];
        const auto name = fmt::format("{} {} -> {}", name_of(use.link), deploy.net.nodes[use.node].name,
                                      deploy.net.nodes[use.peer].name);
        fmt::format_to(out, "  {:<24}{:>10}{:>12}{:>12}{:>14}{:>12}  {}\n", name, share(use.node, use.critical_s),
                       quantity(use.occupied_s, "s"), quantity(static_cast<double>(use.bytes), "B"),
                       quantity(use.airtime_hz_s, "Hz*s"), quantity(use.energy_j, "J"), rate_text(deploy, use));
    }
    if (found.links.size() > most) {
        fmt::format_to(out, "  ... and {} more links\n", found.links.size() - most);
    }
    return text;
}

std::string sensitivity_table(double latency_s, const energy_parts& energy, std::span<const sensitivity> all) {
    std::string text;
    const auto out = std::back_inserter(text);
    const auto change = [](double now, double before) {
        const double percent = before > 0.0 ? 100.0 * (now / before - 1.0) : 0.0;
        return std::abs(percent) < 0.05 ? std::string("0") : fmt::format("{:+.1f} %", percent);
    };
    fmt::format_to(out, "{:<24}{:>12}{:>10}{:>12}{:>10}{:>14}{:>10}\n", "If halved", "latency", "", "energy", "",
                   "less idling", "");
    for (const auto& one : all) {
        fmt::format_to(out, "  {:<22}{:>12}{:>10}{:>12}{:>10}{:>14}{:>10}\n", one.name, quantity(one.latency_s, "s"),
                       change(one.latency_s, latency_s), quantity(one.energy.total_j(), "J"),
                       change(one.energy.total_j(), energy.total_j()), quantity(one.energy.active_j(), "J"),
                       change(one.energy.active_j(), energy.active_j()));
    }
    return text;
}

} // namespace gaisnet
