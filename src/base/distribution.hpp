#pragma once

#include "base/random.hpp"

#include <limits>
#include <string>
#include <vector>

namespace gaisnet {

/// Converts a power from dBm to W.
double watts(double dbm);

/// A value in SI units (bit/s, s, Hz, FLOP/s, W, J, B), or a distribution that is drawn once per node, link or message.
/// Written as `50 Mbit/s`, `uniform(0.2, 2) TFLOP/s`, `choice(1, 2, 4) GFLOP/s`, `normal(0, 2) ms` or `file(PATH) ms`.
struct distribution {
    enum class family {
        constant, ///< parameters: {value}
        uniform,  ///< {low, high}
        choice,   ///< Each value is equally likely; also used for the values of a file.
        normal,   ///< {mean, standard deviation}
    };
    family kind = family::constant;
    std::vector<double> parameters{0.0};
    std::string text;      ///< As the user wrote it.
    bool positive = false; ///< normal: redrawn until it is above 0.
    /// Normal only: drawn again until it is at most this.
    double most = std::numeric_limits<double>::infinity();
    bool in_dbm =
        false; ///< uniform and normal: the parameters are in dBm, and so is what is drawn before it becomes W.

    static distribution of(double value) { return {family::constant, {value}, {}, false}; }
    double draw(random_stream& stream) const;
    double lowest() const;  ///< Smallest possible value.
    double highest() const; ///< Largest possible value; for normal, ten standard deviations above the mean.
    bool is_zero() const { return kind == family::constant && parameters.at(0) == 0.0; }
};

} // namespace gaisnet
