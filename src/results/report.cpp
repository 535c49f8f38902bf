#include "results/report.hpp"

#include "results/report_lines.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include <fmt/format.h>

namespace gaisnet {

using namespace report_lines;

namespace {

latency_summary& operator+=(latency_summary& sum, const round_row& row) {
    sum.total_s += row.latency_s;
    sum.parts += row.parts;
    return sum;
}

std::vector<round_line> lines_of(std::span<const round_row> rounds) {
    struct sums {
        round_line line;
        int edges = 0;
    };
    std::map<std::uint32_t, sums> by_round;
    for (const auto& row : rounds) {
        auto& [line, edges] = by_round[row.round];
        line.round = row.round;
        line.accuracy += row.accuracy;
        line.loss += row.loss;
        line.bits_per_byte += row.bits_per_byte;
        line.latency_s = std::max(line.latency_s, row.latency_s);
        line.energy += row.energy;
        ++edges;
    }
    std::vector<round_line> lines;
    for (auto& [round, entry] : by_round) {
        entry.line.accuracy /= entry.edges;
        entry.line.loss /= entry.edges;
        entry.line.bits_per_byte /= entry.edges;
        lines.push_back(entry.line);
    }
    return lines;
}

void count_nodes(resource_summary& summary, std::span<const node_row> node_rows,
                 std::span<const node_description> nodes, std::uint32_t last_round) {
    for (const auto& node : nodes) {
        ++summary.memory[static_cast<std::size_t>(node.role)].nodes;
    }
    for (const auto& row : node_rows) {
        if (row.round > last_round) {
            continue;
        }
        const auto& node = nodes[row.node];
        summary.energy[static_cast<std::size_t>(node.role)] += row;
        auto& memory = summary.memory[static_cast<std::size_t>(node.role)];
        if (row.temporary_bytes > memory.temporary_bytes) {
            memory.temporary_bytes = row.temporary_bytes;
            memory.temporary_node = node.name;
        }
        memory.with_backbone_bytes = std::max(memory.with_backbone_bytes, row.total_bytes + row.backbone_bytes);
        if (row.total_bytes > memory.total_bytes) {
            memory.total_bytes = row.total_bytes;
            memory.total_node = node.name;
        }
    }
}

void latency_section(output out, const run_summary& summary) {
    const auto& latency = summary.latency;
    const auto until = fmt::format("{} {}, {}", summary.rounds, summary.rounds == 1 ? "round" : "rounds",
                                   summary.planned     ? "predicted"
                                   : summary.converged ? "until converged"
                                                       : "not converged");
    fmt::format_to(out, "{}\n", summary.planned || !summary.converged ? "Latency" : "Convergence latency");
    line(out, "total", quantity(latency.total_s, "s"), until);
    std::size_t index = 0;
    for (const auto* part : latency_parts::parts()) {
        const double seconds = latency.parts.at(index++);
        if (seconds > 0.0 || !part->only_when_used) {
            line(out, std::string("  ") + part->label, quantity(seconds, "s"), share(seconds, latency.total_s));
        }
    }
}

void energy_section(output out, const resource_summary& summary) {
    const auto all = summary.energy_of_all();
    fmt::format_to(out, "Energy\n");
    line(out, "total", quantity(all.total_j(), "J"));
    line(out, "without idling", quantity(all.active_j(), "J"), share(all.active_j(), all.total_j()));
    line(out, "sense + compute + send", quantity(all.sensing_computing_sending_j(), "J"), "as papers add it up");
    for (int role = 0; role < node_roles; ++role) {
        const auto& parts = summary.energy[static_cast<std::size_t>(role)];
        if (summary.memory[static_cast<std::size_t>(role)].nodes == 0) {
            continue;
        }
        const std::pair<const char*, double> causes[] = {{"sensing", parts.sense_j},     {"compute", parts.compute_j},
                                                         {"transmit", parts.transmit_j}, {"receive", parts.receive_j},
                                                         {"idle radio", parts.idle_j},   {"base", parts.base_j},
                                                         {"sleep", parts.sleep_j}};
        std::string note;
        for (const auto& [cause, joules] : causes) {
            if (joules != 0) {
                note += fmt::format("{}{} {}", note.empty() ? "" : ", ", cause, quantity(joules, "J"));
            }
        }
        const auto who = static_cast<node_role>(role);
        line(out, fmt::format("  {}{}", name_of(who), who == node_role::cloud ? "" : "s"),
             quantity(parts.total_j(), "J"), note);
    }
}

void communication_section(output out, const resource_summary& summary) {
    const std::pair<link_class, const char*> classes[] = {{link_class::cs_up, "CS uplink"},
                                                          {link_class::cs_down, "CS downlink"},
                                                          {link_class::d2d, "D2D"},
                                                          {link_class::backhaul, "backhaul"}};
    fmt::format_to(out, "Communication\n");
    for (const auto& [link, label] : classes) {
        const auto index = static_cast<std::size_t>(link);
        if (link == link_class::backhaul && summary.bytes[index] == 0) {
            continue;
        }
        line(out, label, quantity(static_cast<double>(summary.bytes[index]), "B"),
             "spectrum " + quantity(summary.airtime_hz_s[index], "Hz*s"));
    }
}

void memory_section(output out, const resource_summary& summary) {
    fmt::format_to(out, "Peak memory of a node\n");
    for (int role = 0; role < node_roles; ++role) {
        const auto& peak = summary.memory[static_cast<std::size_t>(role)];
        if (peak.nodes == 0) {
            continue;
        }
        const auto name = std::string(name_of(static_cast<node_role>(role)));
        const auto at = [&](const std::string& node) { return node.empty() || peak.nodes == 1 ? "" : "at " + node; };
        line(out, name + ", temporary", quantity(static_cast<double>(peak.temporary_bytes), "B"),
             at(peak.temporary_node));
        line(out, name + ", total", quantity(static_cast<double>(peak.total_bytes), "B"), at(peak.total_node));
        line(out, "  with the whole model", quantity(static_cast<double>(peak.with_backbone_bytes), "B"),
             "if each device holds all frozen weights");
    }
}

} // namespace

run_summary summarise(std::span<const round_row> rounds, std::span<const node_row> node_rows,
                      std::span<const node_description> nodes, std::optional<std::uint32_t> convergence_round) {
    run_summary summary;
    summary.lines = lines_of(rounds);
    const auto last_round = convergence_round.value_or(std::numeric_limits<std::uint32_t>::max());
    std::map<std::uint32_t, latency_summary> by_edge;
    std::map<std::uint32_t, double> wall_by_round;
    for (const auto& row : rounds) {
        if (row.round > last_round) {
            continue;
        }
        by_edge[row.edge] += row;
        auto& wall = wall_by_round[row.round];
        wall = std::max(wall, row.wall_s);
        summary.samples += row.samples;
        summary.clusters_done += row.clusters_done;
        summary.clusters_cut += row.clusters_cut;
        summary.clusters_lost += row.clusters_lost;
        summary.clusters_repaired += row.clusters_repaired;
        static_cast<work_totals&>(summary) += row;
    }
    // Edges work at the same time, so the parts of one edge are shown; these add up.
    for (const auto& [edge, parts] : by_edge) {
        if (parts.total_s > summary.latency.total_s) {
            summary.latency = parts;
        }
    }
    for (const auto& [round, wall] : wall_by_round) {
        summary.wall_s += wall;
    }
    for (const auto& entry : summary.lines) {
        if (entry.round <= last_round) {
            ++summary.rounds;
            summary.accuracy = entry.accuracy;
            summary.loss = entry.loss;
            summary.bits_per_byte = entry.bits_per_byte;
        }
    }
    count_nodes(summary, node_rows, nodes, last_round);
    return summary;
}

resource_summary resources_of(std::span<const node_row> node_rows, std::span<const event_row> events,
                              std::span<const node_description> nodes) {
    resource_summary sums;
    count_nodes(sums, node_rows, nodes, std::numeric_limits<std::uint32_t>::max());
    for (const auto& row : node_rows) {
        (nodes[row.node].role == node_role::client ? sums.client_flops : sums.edge_flops) += row.flops;
    }
    for (const auto& event : events) {
        sums.bytes[static_cast<std::size_t>(event.link)] += event.bytes;
        sums.airtime_hz_s[static_cast<std::size_t>(event.link)] += event.airtime_hz_s;
    }
    return sums;
}

std::string resource_sections(const resource_summary& summary) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "Computation\n");
    line(out, "clients", quantity(summary.client_flops, "FLOP"));
    line(out, "edges", quantity(summary.edge_flops, "FLOP"));
    energy_section(out, summary);
    communication_section(out, summary);
    memory_section(out, summary);
    return text;
}

std::string domain_table(std::span<const probe_row> all) {
    std::vector<std::string> domains, lines;
    std::map<std::pair<std::string, std::string>, std::string> cells; // later rows replace earlier ones
    bool of_tokens = false;
    for (const auto& row : all) {
        const auto domain = row.seen ? row.domain : row.domain + " (unseen)";
        const auto label = row.model + ", " + row.method;
        for (auto& [list, name] :
             {std::pair<std::vector<std::string>*, std::string>{&domains, domain}, {&lines, label}}) {
            if (std::find(list->begin(), list->end(), name) == list->end()) {
                list->push_back(name);
            }
        }
        of_tokens = of_tokens || !std::isnan(row.loss);
        cells[{label, domain}] = std::isnan(row.loss) ? percent(row.accuracy) : plain(std::exp(row.loss));
    }
    if (lines.empty()) {
        return {};
    }
    std::string text = fmt::format("{} by domain\n  {:<24}", of_tokens ? "Perplexity" : "Accuracy", "");
    for (const auto& domain : domains) {
        text += fmt::format("  {:>20}", domain);
    }
    text += "\n";
    for (const auto& label : lines) {
        text += fmt::format("  {:<24}", label);
        for (const auto& domain : domains) {
            const auto cell = cells.find({label, domain});
            text += fmt::format("  {:>20}", cell == cells.end() ? "-" : cell->second);
        }
        text += "\n";
    }
    return text;
}

std::string rounds_table(std::span<const round_line> lines, std::size_t most) {
    const bool evaluated =
        std::any_of(lines.begin(), lines.end(), [](const round_line& entry) { return !std::isnan(entry.accuracy); });
    const bool of_tokens =
        std::any_of(lines.begin(), lines.end(), [](const round_line& entry) { return entry.of_tokens(); });
    std::string text;
    const auto out = std::back_inserter(text);
    const auto row = [&](const std::string& round, const std::string& accuracy, const std::string& loss,
                         const std::string& latency, const std::string& energy, const std::string& active) {
        if (evaluated) {
            fmt::format_to(out, "{:>7}{:>11}{:>{}}{:>12}{:>12}{:>12}\n", round, accuracy, loss, of_tokens ? 12 : 10,
                           latency, energy, active);
        } else {
            fmt::format_to(out, "{:>7}{:>12}{:>12}{:>12}\n", round, latency, energy, active);
        }
    };
    row("round", "accuracy", of_tokens ? "perplexity" : "loss", "latency", "energy", "less idling");
    const bool shortened = lines.size() > most;
    const auto first = shortened ? most / 3 : lines.size();
    const auto resumed = shortened ? lines.size() - (most - first) : lines.size();
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i == first && shortened) {
            fmt::format_to(out, "    ... {} rounds not shown; the results file has them\n", resumed - first);
            i = resumed;
        }
        if (i < lines.size()) {
            const auto& entry = lines[i];
            row(std::to_string(entry.round), percent(entry.accuracy),
                plain(of_tokens ? entry.perplexity() : entry.loss), quantity(entry.latency_s, "s"),
                quantity(entry.energy.total_j(), "J"), quantity(entry.energy.active_j(), "J"));
        }
    }
    return text;
}

double quantile(std::vector<double> values, double part) {
    if (values.empty()) {
        return 0.0;
    }
    constexpr double rounding = 1e-9; // so that 0.9 of ten values are nine
    const double rank = std::ceil(part * static_cast<double>(values.size()) - rounding);
    const auto index = static_cast<std::size_t>(std::clamp(rank - 1.0, 0.0, static_cast<double>(values.size() - 1)));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
    return values[index];
}

std::string run_section(const run_figures& run) {
    std::string text = "Run\n";
    const auto out = std::back_inserter(text);
    const auto scale = run.clock == "real" ? fmt::format(", time scale {:g}", run.time_scale)
                                           : std::string(" (emulated times are computed, nothing was delayed)");
    fmt::format_to(out, "  {:<22}{}{}\n", "clock", run.clock.empty() ? "-" : run.clock, scale);
    if (!run.lateness.empty()) {
        fmt::format_to(out, "  {:<22}p50 {}, p99 {}, largest {}, of {} messages\n", "lateness",
                       quantity(quantile(run.lateness, 0.5), "s"), quantity(quantile(run.lateness, 0.99), "s"),
                       quantity(quantile(run.lateness, 1.0), "s"), run.lateness.size());
    }
    if (!run.planned) {
        fmt::format_to(out, "  {:<22}{}\n", "wall time", quantity(run.wall_s, "s"));
    }
    if (!run.output.empty()) {
        fmt::format_to(out, "  {:<22}{}\n", "results file", run.output);
    }
    return text;
}

std::string report(const run_summary& summary) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "{}\n", rounds_table(summary.lines));
    if (!std::isnan(summary.accuracy)) {
        fmt::format_to(out, "Result\n");
        if (std::isnan(summary.bits_per_byte)) {
            line(out, "accuracy", percent(summary.accuracy), "validation");
            line(out, "loss", plain(summary.loss), "validation, mean cross entropy");
        } else {
            line(out, "perplexity", plain(std::exp(summary.loss)), "validation, of a token");
            line(out, "token accuracy", percent(summary.accuracy), "validation, next tokens that are told right");
            line(out, "loss", plain(summary.loss), "validation, nats a token");
            line(out, "bits a byte", plain(summary.bits_per_byte), "validation, of UTF-8");
        }
    } else {
        fmt::format_to(out, "{}\n", summary.planned ? "Prediction" : "Result");
    }
    line(out, "rounds", std::to_string(summary.rounds),
         summary.lines.size() > summary.rounds
             ? fmt::format("counted up to convergence; {} were run", summary.lines.size())
             : "");
    line(out, "samples", std::to_string(summary.samples), "trained on, epochs counted");
    if (summary.clusters_cut + summary.clusters_lost + summary.clusters_repaired > 0) {
        line(out, "rounds of clusters", std::to_string(summary.clusters_done),
             fmt::format("in averages, {} of them by repaired chains; {} cut at the close of a round, {} lost a client",
                         summary.clusters_repaired, summary.clusters_cut, summary.clusters_lost));
    }
    if (!summary.planned) {
        fmt::format_to(out, "  {:<22}{}{}\n", "ended by", summary.stop_reason.empty() ? "-" : summary.stop_reason,
                       summary.converged ? "" : " (not converged)");
    }
    latency_section(out, summary);
    text += resource_sections(summary);
    return text + run_section(summary);
}

} // namespace gaisnet
