#include "experiment/service_table.hpp"

#include "experiment/preparation.hpp"
#include "experiment/serving.hpp"
#include "results/recorder.hpp"
#include "results/service_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace gaisnet {

service_rules rules_of(const scenario& scene) {
    const auto& serve = scene.serve;
    service_rules rules{serve.rounds, serve.liquidity, serve.demand};
    rules.demand.resize(static_cast<std::size_t>(serve.rounds), serve.demand.back());
    return rules;
}

service_outcome play_table(const configuration& given, session& here) {
    if (!here.root()) {
        return {};
    }
    const auto scene = read_scenario(given.values);
    session::end_at_once(); // large tables take minutes
    const auto& serve = scene.serve;
    const auto rules = rules_of(scene);
    std::vector<service_row> rows;
    for (const auto policy : serve.policies) {
        service_state before{std::vector<std::size_t>(serve.models.size(), 0), serve.cash};
        for (const auto& step : play_services(policy, serve.models, rules, serve.cash, scene.seed)) {
            auto& row = rows.emplace_back();
            row.round = static_cast<std::uint32_t>(step.round) + 1;
            row.policy = name_of(policy);
            row.action = !step.action ? "none" : step.action->upgrade ? "fine_tune" : "infer";
            if (step.action) {
                row.model = serve.models[step.action->model].name;
                row.level = static_cast<std::uint32_t>(before.levels[step.action->model]);
            }
            row.expected = row.accuracy = std::numeric_limits<double>::quiet_NaN();
            (step.income >= 0.0 ? row.value : row.cost) = std::abs(step.income);
            row.cash = step.after.cash;
            before = step.after;
        }
    }
    const service_state start{std::vector<std::size_t>(serve.models.size(), 0), serve.cash};
    const oracle_cash best{best_plan(serve.models, rules, 0, start).cash, true, std::nullopt};
    if (!given.dry_run) {
        auto file = recorder::create(scene.output, header_of(given, scene, here), {}, {}, {scene.overwrite});
        file.write_services(rows);
        file.write_service_policies(regrets_of(rows, serve.cash, best));
        file.finish(run_status::complete, fmt::format("serve.rounds = {}", serve.rounds), false);
    }
    return {std::move(rows), serve.cash, best, {}};
}

} // namespace gaisnet
