#include "experiment/service_accounts.hpp"

#include "base/random.hpp"
#include "experiment/service_table.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
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
        accounts_.size(), start, data_fit, tuning_price(costs.tuning, 0).cost, costs.answer);
    accounts_.push_back({name, costs, gain_curve(start, data_fit), {start}, 0.0, 0.0});
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

service_price service_accounts::price(const service_effort& effort) const {
    service_row row;
    return {effort.latency_s, price(effort, row)};
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
std::vector<service_model> service_accounts::models_with(const accuracy_by_rounds& accuracy,
                                                         cost_of_answers which) const {
    const auto& serve = scene_.serve;
    std::vector<service_model> models;
    for (std::size_t edge = 0; edge < accounts_.size(); ++edge) {
        const auto& its = accounts_[edge];
        const bool average = which == cost_of_answers::on_average && its.answers > 0.0;
        const double answer = average ? its.answers_cost / its.answers : its.costs.answer;
        service_model one{its.name, {}, {}};
        for (std::size_t level = 0; level <= static_cast<std::size_t>(serve.rounds); ++level) {
            one.profit.push_back(serve.value[edge] * accuracy(edge, level) - answer); // per request
            if (level > 0) {
                one.upgrade_cost.push_back(tuning_price(its.costs.tuning, level - 1).cost);
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
        outlook_model one{{}, serve.value[edge], accounts_[edge].costs.tuning};
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
    const auto models = models_with([&](std::size_t edge, std::size_t n) { return believed(edge, n); },
                                    cost_of_answers::of_last_session);
    random_stream stream(scene_.seed, "service", "services", static_cast<std::uint32_t>(round));
    return choose_service(scene_.serve.policies.front(), models, rules_, round, state_, stream);
}

/// A round of fine-tuning, and what it took: forecasts of later ones stay, but for the last, which is repeated.
void service_accounts::note_training(account& its, service_price took, double accuracy) const {
    const auto round = its.truth.size() - 1;
    its.costs.tuning.resize(std::max(its.costs.tuning.size(), round + 1));
    its.costs.tuning[round] = took;
    its.truth.push_back(accuracy);
}

void service_accounts::trained_on(std::size_t edge, const service_effort& effort, double accuracy) {
    note_training(accounts_[edge], price(effort), accuracy);
}

service_row service_accounts::fine_tuned(std::size_t edge, const service_effort& effort, double accuracy) {
    auto& its = accounts_[edge];
    service_row row;
    row.model = its.name;
    row.expected = believed(edge, state_.levels[edge] + 1);
    row.accuracy = accuracy;
    row.level = static_cast<std::uint32_t>(state_.levels[edge]);
    row.cost = price(effort, row);
    its.curve.add(accuracy);
    note_training(its, {effort.latency_s, row.cost}, accuracy);
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
    const auto count = static_cast<double>(row.requests);
    if (scene_.model.tells_next_tokens()) { // nobody knows what the right text is
        row.right = accounts_[edge].truth.at(row.level) * count;
    } else {
        for (const auto& one : session.requests) {
            row.right += one.label == one.predicted ? 1.0 : 0.0;
        }
    }
    row.accuracy = row.right / count;
    row.cost = price(session.effort, row);
    row.value = scene_.serve.value[edge] * row.right;
    auto& its = accounts_[edge];
    its.costs.answer = row.cost / static_cast<double>(row.requests);
    its.answers_cost += row.cost;
    its.answers += static_cast<double>(row.requests);
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
        spdlog::warn(
            "round {}: cash is {:.4g}, since services earned less than was expected: serve.liquidity keeps what "
            "is planned from going below 0, not what happens",
            row.round, state_.cash);
    }
    return rows_.emplace_back(std::move(row));
}

service_accounts::worth service_accounts::decisions() const {
    worth done{scene_.serve.cash, true};
    for (const auto& row : rows_) {
        if (row.action == "infer") {
            const auto edge =
                static_cast<std::size_t>(std::find_if(accounts_.begin(), accounts_.end(),
                                                      [&](const auto& one) { return one.name == row.model; }) -
                                         accounts_.begin());
            done.cash +=
                scene_.serve.value[edge] * accounts_[edge].truth.at(row.level) * static_cast<double>(row.requests);
        }
        done.cash -= row.cost;
        constexpr double rounding = 1e-9;
        done.solvent = done.solvent && done.cash >= -rounding;
    }
    return done;
}

/// A search knows forecast prices of answers, and may be inexact: it may miss what was done.
oracle_cash service_accounts::compare(double searched, bool exact) const {
    const double done = decisions().cash;
    const double rounding = 1e-9 * std::max(1.0, std::abs(done));
    return {std::max(searched, done), exact && searched >= done - rounding, done};
}

oracle_cash service_accounts::compare_with_oracle() const {
    const auto models = models_with([&](std::size_t edge, std::size_t n) { return accounts_[edge].truth.at(n); },
                                    cost_of_answers::on_average);
    auto rules = rules_;
    rules.liquidity = binds_oracle();
    const service_state start{std::vector<std::size_t>(accounts_.size(), 0), scene_.serve.cash};
    return compare(best_plan(models, rules, 0, start).cash, true);
}

oracle_cash service_accounts::compare_with(const service_sequence& searched) const {
    return compare(searched.cash, searched.exact);
}

} // namespace gaisnet
