#include "planning/plan_report.hpp"

#include "base/text.hpp"
#include "base/words.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

constexpr std::size_t most_lines = 20;

/// "c0.0 1, edge0 6, c0.2 5 + head": who holds how many blocks.
std::string chain_text(const deployment& deploy, const cluster& group) {
    std::string text;
    for (const auto& stage : group.chain) {
        text += fmt::format("{}{}{} {}{}", text.empty() ? "" : " -> ", deploy.net.nodes[stage.node].name,
                            stage.embedding ? " (start)" : "", stage.blocks, stage.head ? " + head" : "");
    }
    return text;
}

std::string schedule_text(const chosen_plan& plan) {
    return fmt::format("{}{}", name_in(schedule_words, plan.schedule),
                       plan.schedule == schedule_kind::serial ? ""
                                                              : fmt::format(", {} micro-batches", plan.micro_batches));
}

/// "requests, 10 a second of each start point": the load that a plan of requests is for.
std::string load_text(const scenario& scene) {
    const auto& infer = scene.infer;
    const auto together = scene.model.tells_next_tokens() ? fmt::format("texts of {} tokens", infer.generate)
                                                          : fmt::format("at most {} together", infer.batch);
    switch (infer.arrivals) {
    case arrival_kind::poisson:
        return fmt::format("requests, {:g} a second of each start point, {}", infer.rate, together);
    case arrival_kind::burst: return "requests that come all at once, " + together;
    case arrival_kind::trace: break;
    }
    return "requests at the times of infer.trace, " + together;
}

/// "37.0 % less": the plan's value against another one.
std::string gain_text(const chosen_plan& plan, const plan_figures& other, bool serves) {
    const double here = value_of(plan.planned, plan.objective, plan.given);
    const double there = value_of(other, plan.objective, plan.given);
    if (!std::isfinite(there)) {
        return "does not fit";
    }
    if (const int cut = other.cut - plan.planned.cut; cut > 0) { // whatever the value
        return std::to_string(cut) + (serves ? " start points fewer" : " clusters cut");
    }
    const bool goodput = plan.objective.weights.size() == 1 && plan.objective.weights[0].first == plan_metric::goodput;
    if (goodput) {
        return fmt::format("{:.3g} times as much", there / here);
    }
    return here < there ? fmt::format("{:.1f} % less", 100.0 * (1.0 - here / there)) : std::string("the same");
}

} // namespace

std::string metric_text(const plan_figures& figures, plan_metric metric) {
    switch (metric) {
    case plan_metric::latency: return quantity(figures.latency_s, "s");
    case plan_metric::energy: return quantity(figures.energy_j, "J");
    case plan_metric::spectrum: return quantity(figures.spectrum_hz_s, "Hz*s");
    case plan_metric::memory: return quantity(figures.memory_bytes, "B");
    case plan_metric::goodput: break;
    }
    return quantity(figures.goodput(), "1/s");
}

std::string plan_text(const chosen_plan& plan, const deployment& planned) {
    std::string text;
    const auto out = std::back_inserter(text);
    const bool serves = planned.scene->service == service_kind::inference;
    fmt::format_to(out, "Plan for {}, {}{}\n", plan.objective.text,
                   serves ? load_text(*planned.scene) : schedule_text(plan),
                   !plan.parts.tuning        ? ""
                   : plan.tuning_is_measured ? ", " + plan.tuning.method
                                             : ", " + plan.tuning.method + " (no accuracy is predicted)");
    for (std::size_t i = 0; i < planned.net.clusters.size() && i < most_lines; ++i) {
        const auto& group = planned.net.clusters[i];
        fmt::format_to(out, "  {:<8}{}\n", group.name, chain_text(planned, group));
    }
    if (planned.net.clusters.size() > most_lines) {
        fmt::format_to(out, "  ... and {} more clusters\n", planned.net.clusters.size() - most_lines);
    }
    if (!plan.left_out.empty()) {
        std::string names;
        for (std::size_t i = 0; i < plan.left_out.size() && i < most_lines; ++i) {
            names += (i == 0 ? "" : ", ") + plan.left_out[i];
        }
        fmt::format_to(
            out, "  without a part: {}{}\n", names,
            plan.left_out.size() > most_lines ? fmt::format(" and {} more", plan.left_out.size() - most_lines) : "");
    }
    fmt::format_to(out, "\n{:<26}{:>12}{:>12}{:>14}{:>12}{:>12}  {}\n", "", "latency", "energy", "spectrum", "memory",
                   "goodput", "the plan has");
    const auto row = [&](const std::string& name, const plan_figures& figures, const std::string& gain) {
        if (!figures.obstacle.empty()) {
            fmt::format_to(out, "  {:<24}cannot be formed: {}\n", name, figures.obstacle);
            return;
        }
        std::string cells;
        for (const auto metric : {plan_metric::latency, plan_metric::energy, plan_metric::spectrum, plan_metric::memory,
                                  plan_metric::goodput}) {
            cells += fmt::format("{:>{}}", metric_text(figures, metric), metric == plan_metric::spectrum ? 14 : 12);
        }
        fmt::format_to(out, "  {:<24}{}  {}\n", name, cells, gain);
    };
    row("plan", plan.planned, "");
    row(plan.tuning_is_measured ? "as given, but for tuning" : "scenario as given", plan.given,
        gain_text(plan, plan.given, serves));
    for (const auto& other : plan.compared) {
        row(other.name, other.figures, gain_text(plan, other.figures, serves));
    }
    if (plan.bound.value > 0.0) {
        const bool goodput =
            plan.objective.weights.size() == 1 && plan.objective.weights[0].first == plan_metric::goodput;
        fmt::format_to(out, "\nNo plan can have {:.1f} % {}: the bound counts {}\n",
                       100.0 * (goodput ? plan.gap() : 1.0 - 1.0 / (1.0 + plan.gap())), goodput ? "more" : "less",
                       plan.bound.words);
    }
    if (plan.bound.value <= 0.0) {
        fmt::format_to(out, "\nNothing bounds how good a plan can be{}\n",
                       plan.bound.words.empty() ? "" : ": " + plan.bound.words);
    }
    if (serves) {
        fmt::format_to(out,
                       "Latency is the mean of {:g} requests, with what they wait; energy and spectrum are of one\n",
                       plan.planned.useful);
    }
    fmt::format_to(out, "Searched for {:.2f} s; the ledger was played {} times\n", plan.seconds, plan.plays);
    return text;
}

std::string plan_files::text() const {
    return left_alone.empty()
               ? fmt::format("plan: {}, for --config; its network is {}\n", config.string(), network.string())
               : fmt::format("plan: {} exists and was left alone (overwrite = on replaces it)\n", left_alone.string());
}

std::string plan_json(const chosen_plan& plan, const deployment& planned, const plan_files& files,
                      const measured_tunings* measured) {
    using json = nlohmann::ordered_json;
    const auto figures = [](const plan_figures& one) {
        json entry{{"latency_s", one.latency_s},
                   {"energy_j", one.energy_j},
                   {"spectrum_hz_s", one.spectrum_hz_s},
                   {"memory_bytes", one.memory_bytes},
                   {"useful", one.useful},
                   {"goodput_per_s", one.goodput()},
                   {"fits", one.fits()}};
        if (!one.obstacle.empty()) {
            entry["obstacle"] = one.obstacle;
        }
        return entry;
    };
    json root;
    const auto& scene = *planned.scene;
    root["service"] = name_in(service_words, scene.service);
    root["objective"] = plan.objective.text;
    if (scene.service == service_kind::inference) {
        const auto& infer = scene.infer;
        root["load"] = {{"arrivals", name_in(arrival_words, infer.arrivals)},
                        {"batch", infer.batch},
                        {"in_flight", infer.in_flight}};
        if (infer.arrivals == arrival_kind::poisson) {
            root["load"]["rate_per_s"] = infer.rate;
        }
    } else {
        root["schedule"] = name_in(schedule_words, plan.schedule);
        root["micro_batches"] = plan.micro_batches;
    }
    const auto rank = plan.tuning.rank.fixed();
    root["tuning"] = {{"method", plan.tuning.method},
                      {"prompts", plan.tuning.prompts},
                      {"rank", rank ? json(*rank) : json(plan.tuning.rank.text())},
                      {"bottleneck", plan.tuning.bottleneck}};
    for (const auto& group : planned.net.clusters) {
        json chain = json::array();
        for (const auto& stage : group.chain) {
            chain.push_back({{"node", planned.net.nodes[stage.node].name},
                             {"blocks", stage.blocks},
                             {"embedding", stage.embedding},
                             {"head", stage.head}});
        }
        root["clusters"].push_back(
            {{"name", group.name}, {"edge", planned.net.nodes[group.edge].name}, {"chain", chain}});
    }
    root["left_out"] = plan.left_out;
    root["planned"] = figures(plan.planned);
    root["given"] = figures(plan.given);
    root["compared"] = json::object();
    for (const auto& other : plan.compared) {
        root["compared"][other.name] = figures(other.figures);
    }
    root["value"] = value_of(plan.planned, plan.objective, plan.given);
    const bool bounded = plan.bound.value > 0.0;
    root["bound"] = bounded ? json(plan.bound.value) : json();
    root["gap"] = bounded ? json(plan.gap()) : json();
    root["search"] = {{"seconds", plan.seconds}, {"plays", plan.plays}};
    root["files"] = {
        {"config", files.config.string()}, {"network", files.network.string()}, {"written", files.left_alone.empty()}};
    if (measured) {
        root["measured"] = measured_json(*measured);
    }
    return root.dump(2) + "\n";
}

} // namespace gaisnet
