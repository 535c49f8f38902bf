#include "scenario/planning.hpp"

#include "base/text.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

struct named_part {
    const char* name;
    bool planned_parts::*member;
};
constexpr named_part part_names[] = {
    {"split", &planned_parts::split},           {"clusters", &planned_parts::clusters},
    {"order", &planned_parts::order},           {"start", &planned_parts::start},
    {"schedule", &planned_parts::schedule},     {"micro_batches", &planned_parts::micro_batches},
    {"edge_stage", &planned_parts::edge_stage}, {"tuning", &planned_parts::tuning}};

plan_metric metric_of(const std::string& text) {
    for (const auto& one : plan_metric_words) {
        if (text == one.text) {
            return one.value;
        }
    }
    throw usage_error("latency, energy, spectrum, memory, goodput, or weighted(latency 1, energy 0.5) is accepted");
}

} // namespace

planned_parts planning_settings::parse_parts(const std::string& text) {
    planned_parts parts;
    if (text == "none") {
        return parts;
    }
    for (const auto& one : split_text(text, ',')) {
        const auto found = std::find_if(std::begin(part_names), std::end(part_names),
                                        [&](const named_part& part) { return one == part.name; });
        if (found == std::end(part_names)) {
            throw usage_error("\"" + one +
                              "\" is not among split, clusters, order, start, schedule, micro_batches, "
                              "edge_stage, tuning");
        }
        parts.*found->member = true;
    }
    return parts;
}

plan_objective planning_settings::parse_objective(const std::string& text) {
    if (text == "auto") {
        return {};
    }
    if (!text.starts_with("weighted")) {
        return {{{metric_of(text), 1.0}}, text};
    }
    if (!text.starts_with("weighted(") || !text.ends_with(')')) {
        throw usage_error("weighted(latency 1, energy 0.5) is accepted");
    }
    plan_objective out{{}, text};
    for (const auto& term : split_text(text.substr(9, text.size() - 10), ',')) {
        const auto space = term.find_first_of(" :");
        if (space == std::string::npos) {
            throw usage_error("\"" + term + "\" has no weight; weighted(latency 1, energy 0.5) is accepted");
        }
        const auto weight =
            parse_quantity(std::string(trimmed(std::string_view(term).substr(space + 1))), dimension::number);
        if (!(weight > 0.0)) {
            throw usage_error("\"" + term + "\": weights above 0 are accepted");
        }
        out.weights.emplace_back(metric_of(term.substr(0, space)), weight);
    }
    if (out.weights.empty()) {
        throw usage_error("weighted(latency 1, energy 0.5) is accepted");
    }
    return out;
}

std::vector<plan_metric> planning_settings::parse_pareto(const std::string& text) {
    std::vector<plan_metric> metrics;
    for (const auto& one : split_text(text, ',')) {
        const auto found = std::find_if(std::begin(plan_metric_words), std::end(plan_metric_words),
                                        [&](const auto& word) { return one == word.text; });
        if (found != std::end(plan_metric_words)) {
            metrics.push_back(found->value);
        }
    }
    if (!text.empty() && (metrics.size() != 2 || metrics[0] == metrics[1])) {
        throw usage_error("two of latency, energy, spectrum, memory, goodput are accepted, for example latency,energy");
    }
    return metrics;
}

std::vector<tuning_choice> planning_settings::parse_tunings(const std::string& text) {
    std::vector<tuning_choice> choices;
    for (const auto& one : split_text(text, ',')) {
        const auto space = one.find(' ');
        tuning_choice choice{one.substr(0, space), 0};
        if (space != std::string::npos) {
            choice.size = static_cast<std::int64_t>(parse_integer(one.substr(space + 1), within(1, 100'000)));
        }
        if (const auto names = registry<tuning_entry>::names();
            !names.empty() && !registry<tuning_entry>::find(choice.method)) {
            throw usage_error("\"" + choice.method + "\" is no tuning method; accepted: " + names);
        }
        choices.push_back(std::move(choice));
    }
    return choices;
}

tuning_settings with_choice(const scenario& scene, const tuning_choice& choice) {
    auto out = scene.tuning;
    out.method = choice.method;
    if (choice.size > 0) {
        out.prompts = out.bottleneck = choice.size;
        out.rank = choice.size;
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> keys_of(const tuning_settings& tuning) {
    return {{"tuning.method", tuning.method},
            {"tuning.prompts", std::to_string(tuning.prompts)},
            {"tuning.rank", tuning.rank.text()},
            {"tuning.bottleneck", std::to_string(tuning.bottleneck)}};
}

planned_parts parts_to_plan(const scenario& scene) {
    auto parts = scene.plan.optimise;
    parts.split = parts.split || scene.split.policy == "auto";
    if (scene.cluster.policy == "best") {
        parts.clusters = true;
    }
    if (parts.clusters) {
        parts.order = parts.start = true;
    }
    parts.start = parts.start || scene.cluster.start == start_rule::best;
    if (scene.service == service_kind::inference) { // a request is a forward pass, with what has been tuned
        parts.schedule = parts.micro_batches = parts.tuning = false;
    }
    return parts;
}

plan_objective objective_of(const scenario& scene) {
    auto objective = scene.plan.objective;
    if (objective.weights.empty()) {
        objective = scene.split.objective;
    }
    if (objective.weights.empty()) {
        const bool chooses_data = parts_to_plan(scene).start && scene.service == service_kind::fine_tuning;
        objective = chooses_data ? plan_objective{{{plan_metric::goodput, 1.0}}, "goodput"}
                                 : plan_objective{{{plan_metric::latency, 1.0}}, "latency"};
    }
    return objective;
}

void resolve_planning(settings& values) {
    const auto& text = [&](const char* key) -> const std::string& { return values.at(key).value; };
    const auto& parts = text("optimise");
    const bool chooses_starts = text("cluster.policy") != "given" || text("cluster.start") != "first" ||
                                parts.find("clusters") != std::string::npos || parts.find("start") != std::string::npos;
    if (chooses_starts && values.at("data.held_by").is_default()) {
        values["data.held_by"] = {"clients", "who is a start point is chosen", true};
    }
}

namespace {

/// What has no meaning for requests.
void check_plan_of_requests(const scenario& scene, const planned_parts& parts, const value_reader& in) {
    const auto& asked = scene.plan.optimise;
    if (scene.plan.service == service_kind::inference && (asked.schedule || asked.micro_batches || asked.tuning)) {
        const std::string what = asked.tuning     ? "tuning belongs to the modules that answer"
                                 : asked.schedule ? "schedule is the order of forward and backward passes"
                                                  : "micro_batches are parts of a batch of training";
        in.reject("optimise", "with service = infer requests are planned, and " + what +
                                  ": some of split, clusters, order, start, edge_stage are accepted");
    }
    const auto& trace = scene.infer.trace;
    if (parts.start && trace && !trace->contains("")) {
        in.reject("infer.trace", "it says whose requests come when, so start points cannot be chosen: times for all "
                                 "start points are accepted, or a plan of split, order, edge_stage");
    }
}

} // namespace

void check_planning(const scenario& scene, const value_reader& in) {
    const auto parts = parts_to_plan(scene);
    if (scene.service == service_kind::inference) {
        check_plan_of_requests(scene, parts, in);
    }
    const auto needs_hfsl = [&](bool wanted, const char* key) {
        if (wanted && scene.scheme != scheme_kind::hfsl) {
            in.reject(key, "chains are planned with scheme = hfsl");
        }
    };
    needs_hfsl(scene.plan.optimise.any(), "optimise");
    needs_hfsl(scene.split.policy == "auto", "split.blocks");
    needs_hfsl(scene.cluster.policy != "given", "cluster.policy");
    const auto& listed = scene.network.overrides.clusters;
    const bool cut = std::any_of(listed.begin(), listed.end(), [](const auto& groups) {
        return std::any_of(groups.begin(), groups.end(),
                           [](const auto& group) { return !group.blocks.empty() || group.edge_blocks > 0; });
    });
    if (cut && scene.split.policy == "auto") {
        in.reject("split.blocks", "network.file gives blocks to clusters already; even is accepted beside it, and uses "
                                  "them");
    }
    if (scene.plan.json && !parts.any()) {
        in.reject("json", "a plan is printed, and nothing is left to one: optimise = split, for example");
    }
    if (scene.plan.measure > 0 && !scene.plan.optimise.tuning) {
        in.reject("measure", "tuning methods are trained where one is to be chosen: optimise = tuning is accepted "
                             "beside it, or 0");
    }
    if (scene.plan.measure > scene.train.rounds) {
        in.reject("measure", "the learning rate decays over train.rounds = " + std::to_string(scene.train.rounds) +
                                 ", and nothing is trained longer: at most that many are accepted");
    }
    if (!scene.plan.pareto.empty() && !parts.any()) {
        in.reject("pareto", "something has to be left to a plan: optimise = split, for example");
    }
    if (parts.any() && scene.computing == compute_model::measured) {
        in.reject("compute", "a planner knows how fast devices are, not how fast this computer plays them: model is "
                             "accepted");
    }
    if (parts.any() && scene.cluster.edge_when_needed) {
        in.reject("cluster.edge_stage", "auto chooses the edge's blocks by need, and a planner by its objective: "
                                        "optimise = edge_stage is accepted, or none");
    }
    if (parts.any() && scene.cluster.edge_stage) {
        in.reject("cluster.edge_stage", "a planner places the edge behind the start point: optimise = edge_stage is "
                                        "accepted, or none");
    }
    if ((parts.order || parts.clusters) && !scene.split.blocks.empty() && !parts.split) {
        in.reject("split.blocks", "who holds them is to be chosen: even or auto is accepted");
    }
    if (parts.split && !scene.split.blocks.empty() && !scene.plan.optimise.split) {
        in.reject("split.blocks", "auto or even is accepted");
    }
    if (scene.data.held_by == data_holders::clients && scene.data.partition.by_domain()) {
        in.reject("data.partition",
                  "domain gives each start point a domain; with data.held_by = clients another rule is "
                  "accepted");
    }
    if (scene.plan.period > 0 && !parts.any() && scene.cluster.policy == "given") {
        in.reject("plan.period",
                  "clusters stay as they are given: cluster.policy = nearest or best, split.blocks = auto, "
                  "or cluster.start = best has to leave something to a plan");
    }
    if (scene.plan.period > 0 && scene.cluster.edge_when_needed) {
        in.reject("plan.period", "cluster.edge_stage = auto is decided once; 0 is accepted beside it");
    }
    const bool chooses = scene.cluster.policy != "given" || scene.cluster.start != start_rule::first || parts.start;
    if (chooses && scene.data.held_by != data_holders::clients && scene.service == service_kind::fine_tuning) {
        in.reject("data.held_by", "start points are chosen, so every client needs data: clients is accepted");
    }
}

} // namespace gaisnet
