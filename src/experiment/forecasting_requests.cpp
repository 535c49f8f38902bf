// The part of forecasting that is about requests (service = infer).

#include "experiment/forecasting.hpp"
#include "experiment/request_session.hpp"
#include "experiment/served_models.hpp"
#include "planning/request_forecast.hpp"
#include "rounds/slow_links.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <limits>

namespace gaisnet {

request_outcome forecasting::run_requests() {
    const auto& deploy = *run_.deploy;
    session::check_interrupt();
    request_outcome out{{}, inference_ledger(deploy).play(plan_of_requests(run_))};
    for (auto& row : out.found.requests) { // nothing is computed
        row.probability = std::numeric_limits<double>::quiet_NaN();
    }
    check_memory(deploy, out.found.nodes);
    warn_of_batteries(out.found.nodes);
    for (const auto& warning : slow_links(deploy).find(out.found.events)) {
        spdlog::warn("{}", warning);
    }
    auto& summary = out.summary;
    summary = summary_of(run_, out.found);
    summary.planned = true;
    summary.clock = "virtual";
    summary.served_by = origin_of_models(*run_.scene);
    if (auto file = results_file()) {
        file->write_requests(out.found.requests);
        file->write_tokens(out.found.tokens);
        file->write_round({{}, out.found.nodes, out.found.events, {}, {}});
        write_front(*file);
        file->finish(run_status::complete, "all requests were played", false);
        summary.output = run_.scene->output;
    }
    return out;
}

std::string forecasting::analysis(const request_outcome& outcome) const {
    const auto [latency, energy] = mean_of_requests(outcome.found);
    return fmt::format(
        "\n{}\nBottleneck\n  {}\n\n{}", request_tables(*run_.deploy, outcome.found),
        request_bottleneck(*run_.deploy, outcome.found).text,
        sensitivity_table(latency, energy, halve_each_for_requests(*run_.deploy, plan_of_requests(run_))));
}

} // namespace gaisnet
