#pragma once

#include "planning/forecast.hpp"
#include "rounds/inference_ledger.hpp"
#include "settings/values.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// What decided the latency of a run, what to try, and on which assumptions of this program the result rests: for the end of
/// the table of results.
class advisor {
public:
    explicit advisor(const deployment& deploy): deploy_(deploy), sums_(deploy) {}

    /// Looks at the first two rounds, of which the first senses; later ones are like the second, or there are drop-outs.
    void add(const round_forecast&);
    /// Some lines; empty before the first round. Of networks of up to 200,000 events it plays the rounds again, each
    /// time with one quantity halved (halve_each). \param values whose sources tell assumptions
    std::string text(const settings& values);

private:
    static constexpr int most_rounds = 2;
    const deployment& deploy_;
    forecaster sums_;
    int rounds_ = 0;
    std::uint64_t events_ = 0;
};

/// The same for the end of a session of inference: what decided the latency of its requests.
std::string request_advice(const deployment&, const inference_plan&, const inference_forecast&, const settings& values);

/// Everything that these two may tell to try.
std::vector<std::string> all_remedies();

} // namespace gaisnet
