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
                       row.answered, row.right, row.expired, row.waiting, seconds_text(row.wait_s),
                       seconds_text(row.longest_wait_s));
    }
}

} // namespace

std::vector<service_policy_row> regrets_of(std::span<const service_row> rows, double start_cash, double oracle,
                                           std::optional<double> comparable) {
    std::vector<service_policy_row> all;
    for (const auto& policy : policies_of(rows)) {
        const double cash = last_cash(rows, policy, start_cash);
        all.push_back({policy, cash, comparable.value_or(cash), oracle});
    }
    return all;
}

std::string report(std::span<const service_row> rows, double start_cash, std::optional<double> oracle,
                   std::optional<double> comparable, std::span<const service_client_row> clients) {
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
    const char* const by = clients.empty() ? "by validation accuracy" : "by validation accuracy and forecast prices";
    fmt::format_to(out, "Cash at the end\n");
    for (const auto& policy : policies_of(rows)) {
        const double cash = last_cash(rows, policy, start_cash);
        const double compared = comparable.value_or(cash);
        line(out, policy, fmt::format("{:.6g}", cash),
             oracle ? fmt::format("regret {:.6g}{}", *oracle - compared,
                                  comparable ? fmt::format(", since {} it earned {:.6g}", by, compared) : "")
                    : "");
    }
    if (oracle) {
        line(out, "an oracle", fmt::format("{:.6g}", *oracle),
             comparable ? fmt::format("knows {}what each fine-tuning brings, {}",
                                      clients.empty() ? "" : "when requests come, and ", by)
                        : "knows all profits");
    }
    return text;
}

} // namespace gaisnet
