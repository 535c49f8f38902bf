#pragma once

#include "planning/gain_curve.hpp"
#include "planning/service_outlook.hpp"
#include "planning/service_policy.hpp"
#include "results/rows.hpp"
#include "results/service_report.hpp"
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
    std::vector<token_row> tokens{}; ///< Of texts.
};

/// What services of an edge take.
struct service_costs {
    std::vector<service_price> tuning; ///< Rounds of fine-tuning in order; the last one is that of all further ones.
    double answer = 0;                 ///< Cost of a request.
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
    service_price price(const service_effort&) const;

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

    /// One more round of an edge, when service is over, after which its model has that accuracy.
    void trained_on(std::size_t edge, const service_effort&, double accuracy);
    /// What the services so far are worth when answers are as often right as at validation, and cost what was booked.
    /// When all models were trained for serve.rounds.
    struct worth {
        double cash = 0;     ///< At the end.
        bool solvent = true; ///< It was never below 0.
    };
    worth decisions() const;
    /// Compares them with the services that would have brought most. For requests that do not wait; a request costs an
    /// oracle what it cost on average.
    oracle_cash compare_with_oracle() const;
    /// Likewise, with services that were found otherwise. \param searched with liquidity if binds_oracle().
    oracle_cash compare_with(const service_sequence& searched) const;
    /// Whether an oracle has to keep cash from falling below 0: decisions did, by these figures.
    bool binds_oracle() const { return scene_.serve.liquidity && decisions().solvent; }

private:
    struct account {
        std::string name;
        service_costs costs; ///< As measured so far, and of a request of the last session.
        gain_curve curve;
        std::vector<double> truth; ///< Measured accuracies by rounds.
        double answers_cost = 0;   ///< Of all sessions ...
        double answers = 0;        ///< ... and their requests.
    };
    void note_training(account&, service_price, double accuracy) const;
    oracle_cash compare(double searched, bool exact) const;
    double believed(std::size_t edge, std::size_t rounds) const;
    using accuracy_by_rounds = std::function<double(std::size_t edge, std::size_t rounds)>;
    enum class cost_of_answers { of_last_session, on_average };
    std::vector<service_model> models_with(const accuracy_by_rounds&, cost_of_answers) const;
    std::vector<outlook_model> outlook_with(const accuracy_by_rounds&) const;

    const scenario& scene_;
    service_rules rules_;
    std::vector<account> accounts_; ///< By edge
    service_state state_;
    std::vector<service_row> rows_;
};

} // namespace gaisnet
