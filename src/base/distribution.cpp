#include "base/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

double watts(double dbm) { return 1e-3 * std::pow(10.0, dbm / 10.0); }

double distribution::draw(random_stream& stream) const {
    const auto converted = [this](double value) { return in_dbm ? watts(value) : value; };
    switch (kind) {
    case family::constant: return parameters.at(0);
    case family::uniform: return converted(stream.uniform(parameters.at(0), parameters.at(1)));
    case family::choice: return parameters[stream.below(parameters.size())];
    case family::normal:
        for (;;) {
            const double value = converted(parameters.at(0) + parameters.at(1) * stream.normal());
            if ((!positive || value > 0.0) && value <= most) {
                return value;
            }
        }
    }
    return parameters.at(0);
}

double distribution::highest() const {
    constexpr double deviations = 10.0;
    const double value = kind == family::normal ? parameters.at(0) + deviations * parameters.at(1)
                                                : *std::max_element(parameters.begin(), parameters.end());
    return std::min(in_dbm ? watts(value) : value, most);
}

double distribution::lowest() const {
    if (kind == family::normal && (positive || in_dbm)) {
        return std::numeric_limits<double>::min();
    }
    if (kind == family::normal) {
        return parameters.at(1) == 0.0 ? parameters.at(0) : -std::numeric_limits<double>::infinity();
    }
    const double value = *std::min_element(parameters.begin(), parameters.end());
    return in_dbm ? watts(value) : value;
}

} // namespace gaisnet
