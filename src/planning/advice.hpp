#pragma once

#include "planning/forecast.hpp"
#include "settings/values.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

/// What decided the latency of a run, what to try, and on which assumptions of this program the result rests: for the end of
/// the table of results.
class advisor {
public:
    explicit advisor(const deployment& deploy): deploy_(deploy), sums_(deploy) {}

    /// Looks at the first two rounds, of which the first senses; later ones are like the second, or there are drop-outs.
    void add(const round_forecast&);
    /// Some lines; empty before the first round. Of networks of up to `most_events` events it plays the rounds again, each
    /// time with one quantity halved (halve_each). \param values whose sources tell assumptions
    std::string text(const settings& values);

private:
    static constexpr int most_rounds = 2;
    static constexpr std::uint64_t most_events = 200'000;

    std::string decisive_assumptions(const settings& values, const forecast&) const;

    const deployment& deploy_;
    forecaster sums_;
    int rounds_ = 0;
    std::uint64_t events_ = 0;
};

} // namespace gaisnet
