#include "emulation/distribution.hpp"

#include <algorithm>
#include <limits>

namespace gaisnet {

double distribution::draw(random_stream& stream) const {
    switch (kind) {
    case family::constant: return parameters.at(0);
    case family::uniform: return stream.uniform(parameters.at(0), parameters.at(1));
    case family::choice: return parameters[stream.below(parameters.size())];
    case family::normal:
        for (;;) {
            const double value = parameters.at(0) + parameters.at(1) * stream.normal();
            if (!positive || value > 0.0) {
                return value;
            }
        }
    }
    return parameters.at(0);
}

double distribution::highest() const {
    constexpr double deviations = 10.0;
    return kind == family::normal ? parameters.at(0) + deviations * parameters.at(1)
                                  : *std::max_element(parameters.begin(), parameters.end());
}

double distribution::lowest() const {
    if (kind == family::normal && positive) {
        return std::numeric_limits<double>::min();
    }
    if (kind == family::normal) {
        return parameters.at(1) == 0.0 ? parameters.at(0) : -std::numeric_limits<double>::infinity();
    }
    return *std::min_element(parameters.begin(), parameters.end());
}

} // namespace gaisnet
