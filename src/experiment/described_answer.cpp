#include "experiment/described_answer.hpp"

#include <tuple>

namespace gaisnet {

void describe_answer(const workload& data, int cluster, std::size_t sample, const answer& given,
                     const std::vector<std::string>& classes, request_row& row) {
    std::tie(row.image, row.label) = data.requests().describe(cluster, sample);
    if (!data.tells_next_tokens()) {
        row.predicted = classes.at(given.predicted);
        row.probability = given.probability;
        return;
    }
    const auto text_of = [&](const std::vector<std::int32_t>& tokens) {
        return data.words()->decode(tokens, /*skip_special=*/true);
    };
    row.label = text_of(data.requests().prompt(cluster, sample));
    row.predicted = text_of({given.tokens.begin(), given.tokens.end()});
}

} // namespace gaisnet
