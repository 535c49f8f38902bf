#pragma once

#include "planning/gain_curve.hpp"
#include "planning/service_outlook.hpp"
#include "planning/service_policy.hpp"
#include "results/rows.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// What a service takes, by the ledger: rows of the nodes and events of its edge.
struct service_effort {
    std::vector<node_row> nodes;
    std::vector<event_row> events;
    double latency_s = 0;
};

/// A session of inference of one start point, with its answers.
struct answered_session {
    std::string requester; ///< Name of the start point's node.
    std::vector<request_row> requests;
    service_effort effort;
};

/// Of a round of fine-tuning, and of one request.
struct service_costs {
    double tuning = 0, answer = 0;
    double tuning_s = 0; ///< Latency of the round.
};

/// What services cost and bring in, how good the edges' models are and are believed to become, and which service comes
/// next. Rank 0 keeps them.
class service_accounts {
public:
    /// \param scene must outlive the accounts.
    explicit service_accounts(const scenario& scene);

    /// Of the next edge. \param costs as they are forecast. \param start accuracy before service. \param data_fit see
    /// gain_curve.
    void open(const std::string& name, const service_costs& costs, double start, double data_fit);
    /// The price of an effort, which is noted in the row.
    double price(const service_effort&, service_row&) const;

    /// The service of a round, from 0; none: nothing is done. For requests that do not wait.
    std::optional<service_action> choose(int round) const;
    /// For requests that wait (see request_desk): the models as they are believed to become.
    std::vector<outlook_model> believed_models() const;
    /// As they became, when all of them were trained for serve.rounds.
    std::vector<outlook_model> true_models() const;
    const std::vector<std::size_t>& levels() const { return state_.levels; }
    double cash() const { return state_.cash; }

    // What was done, as rows that still lack round, policy, action and cash:
    /// A round of fine-tuning, after which the edge's model has that accuracy.
    service_row fine_tuned(std::size_t edge, const service_effort&, double accuracy);
    service_row answered(std::size_t edge, const answered_session&);
    /// A round of use without requests.
    service_row unasked(std::size_t edge) const;
    static service_row nothing();
    /// Enters a round's income, and completes the row. \param round from 0.
    const service_row& book(int round, service_row, const char* action);

    /// All rounds so far.
    const std::vector<service_row>& rows() const { return rows_; }

    /// Accuracy of an edge's model after one more round, when service is over.
    void trained_on(std::size_t edge, double accuracy) { accounts_[edge].truth.push_back(accuracy); }
    /// Cash at the end.
    struct comparison {
        double oracle = 0;   ///< What one would have earned who knew all accuracies.
        double expected = 0; ///< What this policy's decisions earn by the same figures.
    };
    /// When all models were trained for serve.rounds.
    comparison compare_with_oracle() const;

private:
    struct account {
        std::string name;
        service_costs costs; ///< Of the last fine-tuning, and of a request of the last session.
        gain_curve curve;
        std::vector<double> truth; ///< Measured accuracies by rounds.
    };
    double believed(std::size_t edge, std::size_t rounds) const;
    using accuracy_by_rounds = std::function<double(std::size_t edge, std::size_t rounds)>;
    std::vector<service_model> models_with(const accuracy_by_rounds&) const;
    std::vector<outlook_model> outlook_with(const accuracy_by_rounds&) const;

    const scenario& scene_;
    service_rules rules_;
    std::vector<account> accounts_; ///< By edge
    service_state state_;
    std::vector<service_row> rows_;
};

} // namespace gaisnet
