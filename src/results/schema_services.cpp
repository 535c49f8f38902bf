#include "results/schema.hpp"
#include "results/schema_columns.hpp"

#include <cstddef>
#include <vector>

namespace gaisnet {

std::vector<column<service_candidate_row>> service_candidate_columns(std::size_t name_bytes) {
    using row = service_candidate_row;
    return {
        number_column<row>("round", "1", "Round of service, counted from 1", &row::round),
        text_column<row>("action", word_bytes, "fine_tune or infer", &row::action),
        text_column<row>("model", name_bytes, "The edge whose model it is", &row::model),
        text_column<row>("requester", name_bytes, "infer: the start point whose requests wait", &row::requester),
        number_column<row>("requests", "1", "infer: requests that would be answered", &row::requests),
        number_column<row>("wait_s", "s", "infer: how long the oldest of them had waited, emulated time", &row::wait_s),
        number_column<row>(
            "expected", "1",
            "Accuracy that was expected, 0 to 1: of the answers (that of the edge's model, for all its clients "
            "alike), or after the fine-tuning",
            &row::expected),
        number_column<row>(
            "latency_s", "s",
            "Emulated time that it would take, by the ledger (fine_tune: from the third on as the last one)",
            &row::latency_s),
        number_column<row>("cost", "1", "Time, energy and spectrum at their prices, by the ledger (likewise)",
                           &row::cost),
        number_column<row>(
            "profit", "1",
            "infer: value of right answers times expected accuracy times requests, less cost; fine_tune: "
            "value times gain in accuracy times requests of the edge that wait or are expected in the "
            "rounds that are left, less cost",
            &row::profit),
        number_column<row>("chosen", "1", "1: the policy chose it", [](const row& r) { return r.chosen ? 1U : 0U; }),
    };
}

std::vector<column<service_client_row>> service_client_columns(std::size_t name_bytes) {
    using row = service_client_row;
    return {
        text_column<row>("client", name_bytes, "The start point that had the requests", &row::client),
        number_column<row>("edge", "1", "Its edge, from 0", &row::edge),
        number_column<row>("arrived", "1",
                           "Requests that came before service ended: the sum of answered, expired and "
                           "waiting",
                           &row::arrived),
        number_column<row>("answered", "1", "Requests that were answered", &row::answered),
        number_column<row>("right", "1",
                           "Right answers; of texts: requests times the model's serve.quality at validation",
                           &row::right),
        number_column<row>("expired", "1", "Requests that were given up, because they still waited at their deadline",
                           &row::expired),
        number_column<row>("waiting", "1", "Requests that waited when service ended", &row::waiting),
        number_column<row>("wait_s", "s",
                           "Mean emulated time from the arrival of a request that was answered until its service "
                           "began; NaN: none was answered",
                           &row::wait_s),
        number_column<row>("longest_wait_s", "s", "The longest of these times", &row::longest_wait_s),
    };
}

std::vector<column<service_policy_row>> service_policy_columns() {
    using row = service_policy_row;
    return {
        text_column<row>("policy", word_bytes, "Who decided", &row::policy),
        number_column<row>("cash", "1", "Cash at the end", &row::cash),
        number_column<row>(
            "decisions", "1",
            "What the services that were done are worth by the figures that the oracle uses: answers are "
            "as often right as at validation, and costs are those that were booked",
            &row::decisions),
        number_column<row>("oracle", "1",
                           "Cash of an oracle, which knows the demand and what each fine-tuning brings (or a table); "
                           "without serve.liquidity if decisions fell below 0 on their way",
                           &row::oracle),
        number_column<row>("exact", "1",
                           "1: nothing brings more than the oracle's cash; 0: it and the regret are at least "
                           "so much, since not all that could be done was searched through",
                           [](const row& r) { return r.exact ? 1U : 0U; }),
        number_column<row>("regret", "1", "oracle less decisions", [](const row& r) { return r.regret(); }),
    };
}

} // namespace gaisnet
