#include "experiment/service_accounts.hpp"

#include "base/random.hpp"
#include "experiment/service_table.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace gaisnet {

namespace {

constexpr double unknown_accuracy = std::numeric_limits<double>::quiet_NaN();

} // namespace

service_accounts::service_accounts(const scenario& scene): scene_(scene), rules_(rules_of(scene)) {
    state_.cash = scene.serve.cash;
}

void service_accounts::open(const std::string& name, const service_costs& costs, double start, double data_fit) {
    spdlog::info(
        "edge{}: accuracy {:.4f} before service, data fit {:.3f}, a fine-tuning costs {:.4g}, a request {:.4g}",
        accounts_.size(), start, data_fit, costs.tuning, costs.answer);
    accounts_.push_back({name, costs, gain_curve(start, data_fit), {start}});
    state_.levels.push_back(0);
}

double service_accounts::price(const service_effort& effort, service_row& row) const {
    const auto& serve = scene_.serve;
    for (const auto& node : effort.nodes) {
        row.energy_j += node.total_j();
    }
    for (const auto& event : effort.events) {
        row.spectrum_hz_s += event.airtime_hz_s;
    }
    row.latency_s = effort.latency_s;
    return serve.price_time * row.latency_s + serve.price_energy * row.energy_j +
           serve.price_spectrum * row.spectrum_hz_s;
}

/// Estimated accuracy of an edge's model after some rounds.
double service_accounts::believed(std::size_t edge, std::size_t rounds) const {
    const auto& given = scene_.serve.curves;
    if (given.empty()) {
        return accounts_[edge].curve.at(rounds);
    }
    return given[edge][std::min(rounds, given[edge].size() - 1)];
}

/// Profit of a request and cost of fine-tuning, by level. \param accuracy of an edge's model after some rounds.
std::vector<service_model> service_accounts::models_with(const accuracy_by_rounds& accuracy) const {
    const auto& serve = scene_.serve;
    std::vector<service_model> models;
    for (std::size_t edge = 0; edge < accounts_.size(); ++edge) {
        const auto& its = accounts_[edge];
        service_model one{its.name, {}, {}};
        for (std::size_t level = 0; level <= static_cast<std::size_t>(serve.rounds); ++level) {
            one.profit.push_back(serve.value[edge] * accuracy(edge, level) - its.costs.answer); // per request
            if (level > 0) {
                one.upgrade_cost.push_back(its.costs.tuning);
            }
        }
        models.push_back(std::move(one));
    }
    return models;
}

std::vector<outlook_model> service_accounts::outlook_with(const accuracy_by_rounds& accuracy) const {
    const auto& serve = scene_.serve;
    std::vector<outlook_model> models;
    for (std::size_t edge = 0; edge < accounts_.size(); ++edge) {
        const auto& costs = accounts_[edge].costs;
        outlook_model one{{}, serve.value[edge], {costs.tuning_s, costs.tuning}};
        for (std::size_t level = 0; level <= static_cast<std::size_t>(serve.rounds); ++level) {
            one.accuracy.push_back(accuracy(edge, level));
        }
        models.push_back(std::move(one));
    }
    return models;
}

std::vector<outlook_model> service_accounts::believed_models() const {
    return outlook_with([&](std::size_t edge, std::size_t n) { return believed(edge, n); });
}

std::vector<outlook_model> service_accounts::true_models() const {
    return outlook_with([&](std::size_t edge, std::size_t n) { return accounts_[edge].truth.at(n); });
}

std::optional<service_action> service_accounts::choose(int round) const {
    const auto models = models_with([&](std::size_t edge, std::size_t n) { return believed(edge, n); });
    random_stream stream(scene_.seed, "service", "services", static_cast<std::uint32_t>(round));
    return choose_service(scene_.serve.policies.front(), models, rules_, round, state_, stream);
}

service_row service_accounts::fine_tuned(std::size_t edge, const service_effort& effort, double accuracy) {
    auto& its = accounts_[edge];
    service_row row;
    row.model = its.name;
    row.expected = believed(edge, state_.levels[edge] + 1);
    row.accuracy = accuracy;
    row.level = static_cast<std::uint32_t>(state_.levels[edge]);
    row.cost = price(effort, row);
    its.costs.tuning = row.cost;
    its.costs.tuning_s = effort.latency_s;
    its.curve.add(accuracy);
    its.truth.push_back(accuracy);
    ++state_.levels[edge];
    return row;
}

service_row service_accounts::answered(std::size_t edge, const answered_session& session) {
    service_row row;
    row.model = accounts_[edge].name;
    row.requester = session.requester;
    row.level = static_cast<std::uint32_t>(state_.levels[edge]);
    row.expected = believed(edge, state_.levels[edge]);
    row.requests = session.requests.size();
    for (const auto& one : session.requests) {
        row.right += one.label == one.predicted ? 1U : 0U;
    }
    row.accuracy = static_cast<double>(row.right) / static_cast<double>(row.requests);
    row.cost = price(session.effort, row);
    row.value = scene_.serve.value[edge] * static_cast<double>(row.right);
    accounts_[edge].costs.answer = row.cost / static_cast<double>(row.requests);
    return row;
}

service_row service_accounts::unasked(std::size_t edge) const {
    auto row = nothing();
    row.model = accounts_[edge].name;
    return row;
}

service_row service_accounts::nothing() {
    service_row row;
    row.accuracy = row.expected = unknown_accuracy;
    return row;
}

const service_row& service_accounts::book(int round, service_row row, const char* action) {
    row.round = static_cast<std::uint32_t>(round) + 1;
    row.policy = name_of(scene_.serve.policies.front());
    row.action = action;
    state_.cash += row.income();
    row.cash = state_.cash;
    if (scene_.serve.liquidity && state_.cash < 0.0) {
        spdlog::warn("round {}: the service earned less than was expected, and cash is {:.4g}: serve.liquidity keeps "
                     "what is planned from going below 0, not what happens",
                     row.round, state_.cash);
    }
    return rows_.emplace_back(std::move(row));
}

service_accounts::comparison service_accounts::compare_with_oracle() const {
    const auto models = models_with([&](std::size_t edge, std::size_t n) { return accounts_[edge].truth.at(n); });
    service_state state{std::vector<std::size_t>(accounts_.size(), 0), scene_.serve.cash};
    comparison earned;
    earned.oracle = best_plan(models, rules_, 0, state).cash;
    for (const auto& row : rows_) {
        if (row.action != "none") {
            const auto model = static_cast<std::size_t>(
                std::find_if(models.begin(), models.end(), [&](const auto& one) { return one.name == row.model; }) -
                models.begin());
            apply(models, rules_, static_cast<int>(row.round) - 1, state, {row.action == "fine_tune", model});
        }
    }
    earned.expected = state.cash;
    return earned;
}

} // namespace gaisnet
