#include "results/service_report.hpp"

#include "base/text.hpp"
#include "results/report_lines.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

using namespace report_lines;

namespace {

/// In the order in which they come.
std::vector<std::string> policies_of(std::span<const service_row> rows) {
    std::vector<std::string> policies;
    for (const auto& row : rows) {
        if (std::find(policies.begin(), policies.end(), row.policy) == policies.end()) {
            policies.push_back(row.policy);
        }
    }
    return policies;
}

double last_cash(std::span<const service_row> rows, const std::string& policy, double start_cash) {
    double cash = start_cash;
    for (const auto& row : rows) {
        cash = row.policy == policy ? row.cash : cash;
    }
    return cash;
}

std::string seconds_text(double seconds) { return std::isnan(seconds) ? "-" : quantity(seconds, "s"); }

void add_clients(output out, std::span<const service_client_row> clients) {
    fmt::format_to(out, "Requests of clients\n  {:<16}{:<8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>13}{:>13}\n", "client", "edge",
                   "came", "answered", "right", "expired", "waiting", "mean wait", "longest");
    for (const auto& row : clients) {
        fmt::format_to(out, "  {:<16}{:<8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>13}{:>13}\n", row.client, row.edge, row.arrived,
                       row.answered, fmt::format("{:.{}f}", row.right, row.right == std::round(row.right) ? 0 : 1),
                       row.expired, row.waiting, seconds_text(row.wait_s), seconds_text(row.longest_wait_s));
    }
}

} // namespace

std::vector<service_policy_row> regrets_of(std::span<const service_row> rows, double start_cash,
                                           const oracle_cash& oracle) {
    std::vector<service_policy_row> all;
    for (const auto& policy : policies_of(rows)) {
        const double cash = last_cash(rows, policy, start_cash);
        all.push_back({policy, cash, oracle.decisions.value_or(cash), oracle.cash, oracle.exact});
    }
    return all;
}

std::string report(std::span<const service_row> rows, double start_cash, const std::optional<oracle_cash>& oracle,
                   std::span<const service_client_row> clients) {
    std::string text;
    const auto out = std::back_inserter(text);
    const bool measured =
        std::any_of(rows.begin(), rows.end(), [](const auto& row) { return !std::isnan(row.accuracy); });
    fmt::format_to(out, "{:<14}{:>6}  {:<10}{:<8}{:<10}{}{:>12}{:>12}\n", "policy", "round", "service", "model",
                   "requester", measured ? fmt::format("{:>10}{:>10}", "expected", "accuracy") : "", "income", "cash");
    for (const auto& row : rows) {
        const auto figures = measured ? fmt::format("{:>10}{:>10}", percent(row.expected), percent(row.accuracy)) : "";
        fmt::format_to(out, "{:<14}{:>6}  {:<10}{:<8}{:<10}{}{:>12.4g}{:>12.4g}\n", row.policy, row.round, row.action,
                       row.model, row.requester, figures, row.income(), row.cash);
    }
    if (!clients.empty()) {
        add_clients(out, clients);
    }
    fmt::format_to(out, "Cash at the end\n");
    const char* const at_least = oracle && !oracle->exact ? "at least " : "";
    for (const auto& policy : policies_of(rows)) {
        const double cash = last_cash(rows, policy, start_cash);
        std::string regret;
        if (oracle) {
            const double compared = oracle->decisions.value_or(cash);
            regret = fmt::format("regret {}{:.6g}", at_least, oracle->cash - compared);
            regret += oracle->decisions ? fmt::format(", since by validation accuracy it earned {:.6g}", compared) : "";
        }
        line(out, policy, fmt::format("{:.6g}", cash), regret);
    }
    if (oracle) {
        const char* const knows = !oracle->decisions ? "knows all profits"
                                  : clients.empty()  ? "knows what each fine-tuning brings, by validation accuracy"
                                                     : "knows when requests come, and what each fine-tuning brings, by "
                                                       "validation accuracy and forecast prices";
        line(out, "an oracle", fmt::format("{}{:.6g}", at_least, oracle->cash),
             fmt::format("{}; {}", knows,
                         oracle->exact ? "nothing brings more" : "not all that could be done was searched through"));
    }
    return text;
}

std::string report_forecast(std::span<const service_row> rows) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "First services, by the ledger\n  {:<8}{:<26}{:>12}{:>12}{:>14}{:>12}\n", "edge", "service",
                   "latency", "energy", "spectrum", "cost");
    for (const auto& row : rows) {
        const auto what = row.action == "infer"
                              ? fmt::format("a session of {} request{}", row.requests, row.requests == 1 ? "" : "s")
                              : fmt::format("fine-tuning, round {}", row.level + 1);
        fmt::format_to(out, "  {:<8}{:<26}{:>12}{:>12}{:>14}{:>12.4g}\n", row.model, what, quantity(row.latency_s, "s"),
                       quantity(row.energy_j, "J"), quantity(row.spectrum_hz_s, "Hz s"), row.cost);
    }
    return text;
}

} // namespace gaisnet
