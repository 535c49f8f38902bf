#pragma once

#include "base/random.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// A value in SI units (bit/s, s, Hz, FLOP/s, W, J, B), or a distribution that is drawn once per node or link.
/// Written as `50 Mbit/s`, `uniform(0.2, 2) TFLOP/s` or `choice(1, 2, 4) GFLOP/s`.
struct distribution {
    enum class family { constant, uniform, choice };
    family kind = family::constant;
    std::vector<double> parameters{0.0}; ///< constant: {value}; uniform: {low, high}; choice: the values.
    std::string text;                    ///< As the user wrote it.

    static distribution of(double value) { return {family::constant, {value}, {}}; }
    double draw(random_stream& stream) const;
    double lowest() const; ///< Smallest possible value.
};

} // namespace gaisnet
