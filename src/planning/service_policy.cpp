#include "planning/service_policy.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

std::vector<service_action> all_actions(std::size_t models) {
    std::vector<service_action> actions;
    for (const bool upgrade : {true, false}) {
        for (std::size_t model = 0; model < models; ++model) {
            actions.push_back({upgrade, model});
        }
    }
    return actions;
}

/// Encodes the levels of all models as one number, and decodes it.
class level_code {
public:
    explicit level_code(const std::vector<service_model>& models) {
        constexpr double most_states = 20e6;
        double states = 1.0;
        for (const auto& model : models) {
            steps_.push_back(static_cast<std::size_t>(states));
            sizes_.push_back(model.profit.size());
            states *= static_cast<double>(model.profit.size());
        }
        if (states > most_states) {
            throw usage_error("service decisions: more than 20 million combinations of levels; fewer models or levels "
                              "are accepted");
        }
        states_ = static_cast<std::size_t>(states);
    }
    std::size_t states() const { return states_; }
    std::size_t of(const std::vector<std::size_t>& levels) const {
        std::size_t code = 0;
        for (std::size_t i = 0; i < levels.size(); ++i) {
            code += levels[i] * steps_[i];
        }
        return code;
    }
    std::vector<std::size_t> levels(std::size_t code) const {
        std::vector<std::size_t> out;
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            out.push_back(code / steps_[i] % sizes_[i]);
        }
        return out;
    }

private:
    std::vector<std::size_t> steps_, sizes_;
    std::size_t states_ = 1;
};

constexpr double unreached = -std::numeric_limits<double>::infinity();

} // namespace

const char* name_of(service_policy policy) { return name_in(service_policy_words, policy); }

double income_of(const std::vector<service_model>& models, const service_rules& rules, int round,
                 const service_state& state, service_action action) {
    const auto& model = models.at(action.model);
    const auto level = state.levels.at(action.model);
    return action.upgrade ? -model.upgrade_cost.at(level)
                          : rules.demand_of(round, action.model) * model.profit.at(level);
}

bool is_possible(const std::vector<service_model>& models, const service_rules& rules, int round,
                 const service_state& state, service_action action) {
    const auto level = state.levels.at(action.model);
    if (action.upgrade && level >= models.at(action.model).upgrade_cost.size()) {
        return false;
    }
    constexpr double rounding = 1e-9;
    const double income = rules.liquidity ? income_of(models, rules, round, state, action) : 0.0;
    return income >= 0.0 || state.cash + income >= -rounding; // what earns is welcome in need, too
}

void apply(const std::vector<service_model>& models, const service_rules& rules, int round, service_state& state,
           service_action action) {
    state.cash += income_of(models, rules, round, state, action);
    state.levels[action.model] += action.upgrade ? 1U : 0U;
}

service_plan best_plan(const std::vector<service_model>& models, const service_rules& rules, int round,
                       const service_state& state) {
    const level_code code(models);
    const auto actions = all_actions(models.size());
    const auto steps = static_cast<std::size_t>(std::max(0, rules.rounds - round));
    // Forward pass: the most cash with which each combination of levels can be reached, and how. An upgrade changes the
    // levels; a use keeps them, so only the best use matters. 255: no action.
    constexpr std::uint8_t nothing = 255, none = 254;
    constexpr std::size_t most_models = none / 2 - 1;
    if (models.size() > most_models) {
        throw usage_error("service decisions: " + std::to_string(models.size()) + " models; at most " +
                          std::to_string(most_models) + " are accepted");
    }
    constexpr double most_bytes = 4e9; // for the tables of all rounds
    if (static_cast<double>(code.states()) * static_cast<double>(steps) > most_bytes) {
        throw usage_error("service decisions: " + std::to_string(steps) + " rounds of " +
                          std::to_string(code.states()) +
                          " combinations of levels; at most 4e9 of both multiplied are "
                          "accepted");
    }
    std::vector<double> cash(code.states(), unreached);
    std::vector<std::vector<std::uint8_t>> chosen(steps, std::vector<std::uint8_t>(code.states(), none));
    std::vector<std::size_t> reached{code.of(state.levels)};
    cash[reached.front()] = state.cash;
    for (std::size_t step = 0; step < steps; ++step) {
        std::vector<double> next(code.states(), unreached);
        std::vector<std::size_t> next_reached;
        const auto offer = [&](std::size_t to, double with, std::uint8_t by) {
            if (next[to] == unreached) {
                next_reached.push_back(to);
            }
            if (with > next[to]) {
                next[to] = with;
                chosen[step][to] = by;
            }
        };
        for (const auto from : reached) {
            const service_state here{code.levels(from), cash[from]};
            for (std::size_t a = 0; a < actions.size(); ++a) {
                if (is_possible(models, rules, round + static_cast<int>(step), here, actions[a])) {
                    auto after = here;
                    apply(models, rules, round + static_cast<int>(step), after, actions[a]);
                    offer(code.of(after.levels), after.cash, static_cast<std::uint8_t>(a));
                }
            }
            offer(from, here.cash, nothing);
        }
        cash = std::move(next);
        reached = std::move(next_reached);
    }
    service_plan best;
    std::size_t at = 0;
    std::sort(reached.begin(), reached.end());
    for (const auto one : reached) {
        if (cash[one] > best.cash) {
            best.cash = cash[one];
            at = one;
        }
    }
    for (std::size_t step = steps; step-- > 0;) { // backwards along the chosen path
        const auto by = chosen[step][at];
        if (by == nothing) {
            best.actions.emplace_back();
            continue;
        }
        const auto action = actions[by];
        best.actions.push_back(action);
        if (action.upgrade) {
            auto levels = code.levels(at);
            --levels[action.model];
            at = code.of(levels);
        }
    }
    std::reverse(best.actions.begin(), best.actions.end());
    return best;
}

std::optional<service_action> choose_service(service_policy policy, const std::vector<service_model>& models,
                                             const service_rules& rules, int round, const service_state& state,
                                             random_stream& stream) {
    ensure(policy != service_policy::fair, "fair asks who waits, and nobody does");
    if (policy == service_policy::mlcp || policy == service_policy::oracle) {
        const auto plan = best_plan(models, rules, round, state);
        return plan.actions.empty() ? std::nullopt : plan.actions.front();
    }
    std::vector<service_action> possible;
    for (const auto& action : all_actions(models.size())) {
        if (is_possible(models, rules, round, state, action)) {
            possible.push_back(action);
        }
    }
    if (policy == service_policy::always_infer) {
        const service_action in_turn{false, static_cast<std::size_t>(round) % models.size()};
        return is_possible(models, rules, round, state, in_turn) ? std::optional(in_turn) : std::nullopt;
    }
    if (possible.empty()) {
        return std::nullopt;
    }
    if (policy == service_policy::random) {
        return possible[stream.below(possible.size())];
    }
    const auto income = [&](service_action one) { return income_of(models, rules, round, state, one); };
    const auto best = *std::max_element(possible.begin(), possible.end(),
                                        [&](service_action a, service_action b) { return income(a) < income(b); });
    return income(best) < 0.0 ? std::nullopt : std::optional(best);
}

std::vector<service_step> play_services(service_policy policy, const std::vector<service_model>& models,
                                        const service_rules& rules, double cash, std::uint64_t seed,
                                        const std::string& entity) {
    random_stream stream(seed, "service", entity);
    service_state state{std::vector<std::size_t>(models.size(), 0), cash};
    // Nothing is learned between rounds, so the plan stays optimal.
    const bool planned = policy == service_policy::mlcp || policy == service_policy::oracle;
    const auto plan = planned ? best_plan(models, rules, 0, state) : service_plan{};
    std::vector<service_step> steps;
    for (int round = 0; round < rules.rounds; ++round) {
        service_step step{round,
                          planned ? plan.actions[static_cast<std::size_t>(round)]
                                  : choose_service(policy, models, rules, round, state, stream),
                          0.0,
                          {}};
        if (step.action) {
            step.income = income_of(models, rules, round, state, *step.action);
            apply(models, rules, round, state, *step.action);
        }
        step.after = state;
        steps.push_back(std::move(step));
    }
    return steps;
}

} // namespace gaisnet
