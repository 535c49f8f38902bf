#include "planning/request_forecast.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>

namespace gaisnet {

namespace {

constexpr double bits_of_byte = 8.0;

/// What a device or link did in a session.
struct session_use {
    request_share share;
    double busy = 0; ///< Part of the session in which it is occupied.
    double occupied_s = 0;
    std::uint64_t bytes = 0;
    double energy_j = 0, airtime_hz_s = 0, flops = 0;

    double took() const { return part(share.took_s); }
    double waited() const { return part(share.waited_s); }
    double part(double seconds) const { return share.latency_s > 0.0 ? seconds / share.latency_s : 0.0; }
};

/// All devices and links that did anything, the largest part of latencies first.
std::vector<session_use> uses_of(const deployment& deploy, const inference_forecast& found) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, session_use> by_ends;
    for (const auto& share : found.shares) { // an edge's device serves several clusters
        auto& sum = by_ends[{share.node, share.peer}].share;
        sum.took_s += share.took_s;
        sum.waited_s += share.waited_s;
        sum.latency_s += share.latency_s;
    }
    for (const auto& event : found.events) {
        auto& use = by_ends[{event.node, event.peer}];
        use.share.node = event.node;
        use.share.peer = event.peer;
        use.share.link = event.link;
        use.occupied_s += event.end_s - event.start_s;
        use.bytes += event.bytes;
        use.energy_j += event.energy_j;
        use.airtime_hz_s += event.airtime_hz_s;
        use.flops += event.flops;
    }
    std::vector<session_use> out;
    for (auto& [ends, use] : by_ends) {
        const double end = found.end_s[deploy.net.nodes[use.share.node].edge];
        use.busy = end > 0.0 ? use.occupied_s / end : 0.0;
        out.push_back(use);
    }
    std::stable_sort(out.begin(), out.end(), [](const session_use& a, const session_use& b) {
        return std::pair(a.took() + a.waited(), a.busy) > std::pair(b.took() + b.waited(), b.busy);
    });
    return out;
}

bool is_device(const session_use& use) { return use.share.node == use.share.peer; }

std::string name_of_use(const deployment& deploy, const session_use& use) {
    const auto& from = deploy.net.nodes[use.share.node].name;
    return is_device(use)
               ? from
               : fmt::format("{} {} -> {}", name_of(use.share.link), from, deploy.net.nodes[use.share.peer].name);
}

std::string percents(double part) { return fmt::format("{:.1f} %", 100.0 * part); }

/// Of a link: what it carried while it was occupied.
std::string mean_rate(const session_use& use) {
    return quantity(use.occupied_s > 0.0 ? static_cast<double>(use.bytes) * bits_of_byte / use.occupied_s : 0.0,
                    "bit/s");
}

std::string doing(const deployment& deploy, const session_use& use) {
    const auto rate =
        is_device(use) ? quantity(deploy.net.nodes[use.share.node].device.rate_flop_s, "FLOP/s") : mean_rate(use);
    const auto* link = is_device(use) ? nullptr : deploy.net.link_between(use.share.node, use.share.peer);
    return fmt::format("it is busy {:.0f} % of the session, at {}{}", 100.0 * use.busy, rate,
                       link ? " with a latency of " + quantity(link->parameters.latency_s, "s") : "");
}

} // namespace

std::string request_tables(const deployment& deploy, const inference_forecast& found, std::size_t most) {
    std::map<std::uint32_t, const node_row*> rows;
    for (const auto& row : found.nodes) {
        rows[row.node] = &row;
    }
    const auto uses = uses_of(deploy, found);
    std::string text;
    const auto out = std::back_inserter(text);
    std::size_t lines = 0;
    fmt::format_to(out, "{:<16}{:>12}{:>10}{:>10}{:>12}{:>12}{:>12}{:>12}\n", "By node", "of latency", "waiting",
                   "busy", "energy", "sent", "received", "memory");
    const auto node_line = [&](const node_row& row, const session_use* use) {
        if (++lines > most) {
            return;
        }
        const auto bytes = [](std::uint64_t count) { return quantity(static_cast<double>(count), "B"); };
        fmt::format_to(out, "  {:<14}{:>12}{:>10}{:>10}{:>12}{:>12}{:>12}{:>12}\n", deploy.net.nodes[row.node].name,
                       use ? percents(use->took()) : "-", use ? percents(use->waited()) : "-",
                       use ? percents(use->busy) : "-", quantity(row.total_j(), "J"), bytes(row.bytes_sent),
                       bytes(row.bytes_received), bytes(row.total_bytes));
    };
    for (const auto& use : uses) {
        if (is_device(use) && rows.contains(use.share.node)) {
            node_line(*rows.at(use.share.node), &use);
            rows.erase(use.share.node);
        }
    }
    for (const auto& [node, row] : rows) { // those that computed nothing
        node_line(*row, nullptr);
    }
    const auto end_of_table = [&](const char* what) {
        if (lines > most) {
            fmt::format_to(out, "  ... and {} more {}\n", lines - most, what);
        }
        lines = 0;
    };
    end_of_table("nodes");
    fmt::format_to(out, "{:<26}{:>12}{:>10}{:>10}{:>12}{:>14}{:>12}  {}\n", "By link", "of latency", "waiting", "busy",
                   "sent", "spectrum", "energy", "mean rate");
    for (const auto& use : uses) {
        if (is_device(use) || ++lines > most) {
            continue;
        }
        fmt::format_to(out, "  {:<24}{:>12}{:>10}{:>10}{:>12}{:>14}{:>12}  {}\n", name_of_use(deploy, use),
                       percents(use.took()), percents(use.waited()), percents(use.busy),
                       quantity(static_cast<double>(use.bytes), "B"), quantity(use.airtime_hz_s, "Hz*s"),
                       quantity(use.energy_j, "J"), mean_rate(use));
    }
    end_of_table("links");
    return text;
}

request_obstacle request_bottleneck(const deployment& deploy, const inference_forecast& found) {
    const auto uses = uses_of(deploy, found);
    double all = 0.0;
    request_parts parts;
    for (const auto& row : found.requests) {
        all += row.latency_s;
        parts += row.parts;
    }
    if (uses.empty() || !(all > 0.0)) {
        return {"nothing takes any time", {}};
    }
    const auto& first = uses.front();
    const double takes = first.took() + first.waited();
    std::string part; // of those that are no device's or link's
    for (const auto* other : {"sensing", "queue", "delivery"}) {
        if (parts[other] > all * takes && (part.empty() || parts[other] > parts[part])) {
            part = other;
        }
    }
    if (part == "queue") {
        const auto busiest =
            std::max_element(uses.begin(), uses.end(), [](const auto& a, const auto& b) { return a.busy < b.busy; });
        return {
            fmt::format("waiting for its turn in the chain takes {:.0f} % of a request's latency; busiest is {}: {}",
                        100.0 * parts[part] / all, name_of_use(deploy, *busiest), doing(deploy, *busiest)),
            part};
    }
    if (!part.empty()) {
        return {fmt::format("{} takes {:.0f} % of a request's latency",
                            part == "sensing" ? "sensing of the sample" : "waiting for modules",
                            100.0 * parts[part] / all),
                part};
    }
    const auto waiting =
        first.waited() > 0.0 ? fmt::format(", {:.0f} % of it waiting", 100.0 * first.waited() / takes) : std::string();
    const bool of_edge = deploy.net.nodes[first.share.node].role == node_role::edge;
    part = !is_device(first) ? (first.share.link == link_class::d2d ? "d2d" : "cs_smashed")
                             : (of_edge ? "edge" : "compute");
    return {fmt::format("{} takes {:.0f} % of a request's latency{}: {}", name_of_use(deploy, first), 100.0 * takes,
                        waiting, doing(deploy, first)),
            part};
}

std::pair<double, energy_parts> mean_of_requests(const inference_forecast& found) {
    double latency = 0.0;
    for (const auto& row : found.requests) {
        latency += row.latency_s;
    }
    energy_parts energy;
    for (const auto& row : found.nodes) {
        energy += row;
    }
    const auto count = std::max(1.0, static_cast<double>(found.requests.size()));
    for (auto* part : {&energy.sense_j, &energy.compute_j, &energy.transmit_j, &energy.receive_j, &energy.idle_j,
                       &energy.base_j, &energy.sleep_j}) {
        *part /= count;
    }
    return {latency / count, energy};
}

std::vector<sensitivity> halve_each_for_requests(const deployment& deploy, const inference_plan& session) {
    auto out = halve_each(
        deploy, [&](const deployment& changed) { return mean_of_requests(inference_ledger(changed).play(session)); });
    if (deploy.scene->infer.arrivals == arrival_kind::poisson) {
        auto rarer = session;
        for (auto& line : rarer.lines) { // with half the rate each comes after twice the time
            std::for_each(line.arrivals_s.begin(), line.arrivals_s.end(), [](double& time) { time *= 2.0; });
        }
        const auto [latency, energy] = mean_of_requests(inference_ledger(deploy).play(rarer));
        out.push_back({"infer.rate", latency, energy});
    }
    return out;
}

} // namespace gaisnet
