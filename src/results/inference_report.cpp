#include "results/inference_report.hpp"

#include "results/report_lines.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

namespace gaisnet {

using namespace report_lines;

namespace {

void result_section(output out, const inference_summary& summary) {
    std::size_t labelled = 0, correct = 0;
    double first = std::numeric_limits<double>::infinity(), last = 0.0;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> batches;
    for (const auto& row : summary.requests) {
        labelled += row.tokens > 0 || row.label.empty() ? 0U : 1U; // a text has none
        correct += row.tokens == 0 && !row.label.empty() && row.label == row.predicted ? 1U : 0U;
        first = std::min(first, row.arrival_s);
        last = std::max(last, row.arrival_s + row.latency_s);
        batches[{row.cluster, row.batch}] = row.batch_size;
    }
    fmt::format_to(out, "{}\n", summary.planned ? "Prediction" : "Result");
    if (labelled > 0) {
        line(out, "accuracy", percent(static_cast<double>(correct) / static_cast<double>(labelled)),
             fmt::format("{} of {} requests", correct, labelled));
    }
    if (!summary.served_by.empty()) {
        line(out, "served by", "", summary.served_by);
    }
    const auto requests = static_cast<double>(summary.requests.size());
    line(out, "requests", std::to_string(summary.requests.size()),
         !summary.tokens.empty() ? "texts that were generated"
                                 : fmt::format("in {} batches of {:.2f} on average", batches.size(),
                                               requests / static_cast<double>(batches.size())));
    line(out, "throughput", fmt::format("{:.4g} /s", requests / (last - first)),
         fmt::format("requests from the first arrival to the last result, {}", quantity(last - first, "s")));
}

void latency_section(output out, std::span<const request_row> requests) {
    std::vector<double> all;
    request_row sum;
    for (const auto& row : requests) {
        all.push_back(row.latency_s);
        sum.latency_s += row.latency_s;
        sum.parts += row.parts;
    }
    const auto count = static_cast<double>(requests.size());
    fmt::format_to(out, "Latency of a request, from its arrival to the result\n");
    line(out, "mean", quantity(sum.latency_s / count, "s"),
         fmt::format("p50 {}, p90 {}, p95 {}, p99 {}, largest {}", quantity(quantile(all, 0.5), "s"),
                     quantity(quantile(all, 0.9), "s"), quantity(quantile(all, 0.95), "s"),
                     quantity(quantile(all, 0.99), "s"), quantity(quantile(all, 1.0), "s")));
    std::size_t index = 0;
    for (const auto* part : request_parts::parts()) {
        const double seconds = sum.parts.at(index++);
        line(out, std::string("  ") + part->label, quantity(seconds / count, "s"), share(seconds, sum.latency_s));
    }
}

/// Of texts that were generated.
void text_section(output out, const inference_summary& summary) {
    std::vector<double> first, later;
    double begin = std::numeric_limits<double>::infinity(), end = 0.0;
    std::uint64_t prompts = 0;
    for (const auto& row : summary.requests) {
        first.push_back(row.first_token_s);
        begin = std::min(begin, row.arrival_s);
        end = std::max(end, row.arrival_s + row.latency_s);
        prompts += row.prompt_tokens;
    }
    for (const auto& row : summary.tokens) {
        if (row.token > 0) {
            later.push_back(row.latency_s);
        }
    }
    const auto mean = [](const std::vector<double>& all) {
        return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
    };
    const auto spread = [](const std::vector<double>& all) {
        return fmt::format("p50 {}, p90 {}, p99 {}, largest {}", quantity(quantile(all, 0.5), "s"),
                           quantity(quantile(all, 0.9), "s"), quantity(quantile(all, 0.99), "s"),
                           quantity(quantile(all, 1.0), "s"));
    };
    const auto tokens = static_cast<double>(summary.tokens.size());
    fmt::format_to(out, "Tokens\n");
    line(out, "generated", std::to_string(summary.tokens.size()),
         fmt::format("{:.1f} a request, after {:.1f} of a prompt", tokens / static_cast<double>(first.size()),
                     static_cast<double>(prompts) / static_cast<double>(first.size())));
    line(out, "throughput", fmt::format("{:.4g} /s", tokens / (end - begin)), "of all requests together");
    line(out, "first token", quantity(mean(first), "s"), "after the arrival: " + spread(first));
    if (!later.empty()) {
        line(out, "a further token", quantity(mean(later), "s"), spread(later));
    }
    line(out, "keys and values", quantity(static_cast<double>(summary.cache_bytes), "B"),
         summary.cache_node.empty() ? "" : "at most, at " + summary.cache_node);
    const auto energy = summary.resources.energy_of_all();
    std::uint64_t bytes = 0;
    for (const auto some : summary.resources.bytes) {
        bytes += some;
    }
    line(out, "energy a token", quantity(energy.total_j() / tokens, "J"),
         fmt::format("{} without idling", quantity(energy.active_j() / tokens, "J")));
    line(out, "bytes a token", quantity(static_cast<double>(bytes) / tokens, "B"), "of all links, delivery included");
}

} // namespace

std::string report(const inference_summary& summary) {
    std::string text;
    const auto out = std::back_inserter(text);
    if (summary.requests.empty()) {
        return "no requests\n";
    }
    result_section(out, summary);
    latency_section(out, summary.requests);
    if (!summary.tokens.empty()) {
        text_section(out, summary);
    }
    const auto energy = summary.resources.energy_of_all();
    std::uint64_t bytes = 0;
    for (const auto some : summary.resources.bytes) {
        bytes += some;
    }
    const auto& airtime = summary.resources.airtime_hz_s;
    const auto count = static_cast<double>(summary.requests.size());
    fmt::format_to(out, "A request costs\n");
    line(out, "energy", quantity(energy.total_j() / count, "J"), "of all nodes, idling included");
    line(out, "  without idling", quantity(energy.active_j() / count, "J"));
    line(out, "communication", quantity(static_cast<double>(bytes) / count, "B"), "delivery included");
    line(out, "spectrum", quantity(std::accumulate(airtime.begin(), airtime.end(), 0.0) / count, "Hz*s"),
         "of all links");
    text += resource_sections(summary.resources);
    return text + run_section(summary);
}

} // namespace gaisnet
