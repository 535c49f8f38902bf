#pragma once

// What a planner chooses, and what it makes small or large: `optimise`, `objective`, [plan].

#include "scenario/rounds.hpp"
#include "settings/key.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;
struct tuning_settings;

/// What a plan costs or brings in.
enum class plan_metric {
    latency,  ///< Of a round; of a request, mean, with what it waits.
    energy,   ///< Of all nodes, idle included: of a round; a request's part of a session.
    spectrum, ///< Bandwidth x time of all links, likewise.
    memory,   ///< Of the client that needs most.
    goodput,  ///< Useful samples a second; requests a second. To be made large.
};
inline constexpr word<plan_metric> plan_metric_words[] = {{"latency", plan_metric::latency},
                                                          {"energy", plan_metric::energy},
                                                          {"spectrum", plan_metric::spectrum},
                                                          {"memory", plan_metric::memory},
                                                          {"goodput", plan_metric::goodput}};

/// One metric, or a weighted sum of several, each relative to the scenario as it is given.
struct plan_objective {
    std::vector<std::pair<plan_metric, double>> weights{}; ///< Empty: the planner chooses by what it plans.
    std::string text = "auto";
};

/// What a planner may change.
struct planned_parts {
    bool split = false;         ///< Which blocks a client holds.
    bool clusters = false;      ///< Who is in which cluster, and in which order.
    bool order = false;         ///< The order of a chain behind its start point.
    bool start = false;         ///< Which client of a cluster is the start point.
    bool schedule = false;      ///< train.schedule
    bool micro_batches = false; ///< train.micro_batches
    bool edge_stage = false;    ///< How many blocks the edge holds, behind the start point.
    bool tuning = false;        ///< tuning.method and its size.

    bool any() const {
        return split || clusters || order || start || schedule || micro_batches || edge_stage || tuning;
    }
};

/// A tuning method and its size: prompts, rank or width of adapters. 0: as [tuning] says.
struct tuning_choice {
    std::string method;
    std::int64_t size = 0;

    std::string name() const { return method + (size > 0 ? " " + std::to_string(size) : ""); } ///< "lora 8"
    bool operator==(const tuning_choice&) const = default;
};

struct planning_settings {
    static constexpr section key{"plan", commands::emulating};
    static constexpr section of_plan{"", commands::planning};
    service_kind service = of_plan.choice("service", "finetune", service_words,
                                          "what is forecast and planned: rounds of fine-tuning, or the requests of "
                                          "infer.*");
    planned_parts optimise =
        of_plan.parsed("optimise", "none",
                       "none, or some of split, clusters, order, start, schedule, micro_batches, edge_stage, tuning",
                       "what is chosen by the ledger; the rest stays as the scenario says", parse_parts);
    plan_objective objective =
        of_plan.parsed("objective", "auto",
                       "auto, latency, energy, spectrum, memory, goodput, or weighted(latency 1, "
                       "energy 0.5)",
                       "what a plan makes small (goodput: large); auto: goodput where start points "
                       "of fine-tuning are chosen, else latency; weights are relative to the given "
                       "scenario",
                       parse_objective);
    std::vector<plan_metric> pareto =
        of_plan.parsed("pareto", "", "two of latency, energy, spectrum, memory, goodput",
                       "plans between two objectives; into the table /plan/front when output is given", parse_pareto);
    bool json = of_plan.onoff("json", "off", "print the plan as JSON, and nothing else; files are written as without",
                              {.identity = false});
    /// 0: methods are compared by the ledger alone.
    int measure =
        of_plan.count("measure", "0",
                      "rounds after which the worse half of plan.tunings is dropped, again and again, until one "
                      "is left: methods are really trained (optimise = tuning); 0: they are not",
                      at_least(0));
    std::vector<tuning_choice> tunings =
        key.parsed("tunings", "head, prompt_shallow 10, prompt_deep 10, prefix 10, lora 8, adapter 16, full",
                   "methods, each with a size or without",
                   "what optimise = tuning compares: by cost alone, or, with measure, by training", parse_tunings,
                   {.commands = commands::plan});
    int effort =
        key.count("effort", "20000", "plays of the ledger after which a search of clusters ends", within(1, 1e9));
    int restarts =
        key.count("restarts", "3", "searches of clusters from other starts; the best one counts", at_least(1));

    int period = key.count("period", "0",
                           "rounds after which clusters are formed and planned again, from where clients are then and "
                           "whose battery is left; 0: never",
                           at_least(0), {.commands = commands::finetune});

    static plan_objective parse_objective(const std::string&);

private:
    static planned_parts parse_parts(const std::string&);
    static std::vector<tuning_choice> parse_tunings(const std::string&);
    static std::vector<plan_metric> parse_pareto(const std::string&);
};

/// Everything that is to be planned: `optimise`, split.blocks = auto, cluster.policy and cluster.start = best.
planned_parts parts_to_plan(const scenario&);
/// The keys that say a tuning method and its size, with their values.
std::vector<std::pair<std::string, std::string>> keys_of(const tuning_settings&);
/// Tuning with a choice in place of method and size.
tuning_settings with_choice(const scenario&, const tuning_choice&);
/// What the plan is judged by; never empty.
plan_objective objective_of(const scenario&);
void resolve_planning(settings&);
/// \throws usage_error
void check_planning(const scenario&, const value_reader&);

} // namespace gaisnet
