#include "results/service_report.hpp"

#include "results/report_lines.hpp"

#include <algorithm>
#include <vector>

namespace gaisnet {

using namespace report_lines;

std::string report(std::span<const service_row> rows, double start_cash, std::optional<double> oracle,
                   std::optional<double> comparable) {
    std::vector<std::string> policies;
    for (const auto& row : rows) {
        if (std::find(policies.begin(), policies.end(), row.policy) == policies.end()) {
            policies.push_back(row.policy);
        }
    }
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
    fmt::format_to(out, "Cash at the end\n");
    for (const auto& policy : policies) {
        double cash = start_cash;
        for (const auto& row : rows) {
            cash = row.policy == policy ? row.cash : cash;
        }
        const double compared = comparable.value_or(cash);
        line(out, policy, fmt::format("{:.6g}", cash),
             oracle ? fmt::format("regret {:.6g}{}", *oracle - compared,
                                  comparable ? fmt::format(", since by validation accuracy it earned {:.6g}", compared)
                                             : "")
                    : "");
    }
    if (oracle) {
        line(out, "an oracle", fmt::format("{:.6g}", *oracle),
             comparable ? "knows what each fine-tuning brings, by validation accuracy" : "knows all profits");
    }
    return text;
}

} // namespace gaisnet
