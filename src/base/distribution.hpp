#pragma once

#include "base/random.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
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

/// A whole number, or a distribution of which draws are rounded to whole numbers: `8`, `choice(4, 8, 16)` or
/// `uniform(4, 16)`.
struct drawn_count {
    distribution values;

    drawn_count(std::int64_t number = 0) // NOLINT(google-explicit-constructor)
        : values(distribution::of(static_cast<double>(number))) {}
    std::int64_t draw(random_stream& stream) const { return std::llround(values.draw(stream)); }
    /// The number, if it is one for all.
    std::optional<std::int64_t> fixed() const {
        return values.kind == distribution::family::constant ? std::optional(std::llround(values.parameters.at(0)))
                                                             : std::nullopt;
    }
    std::string text() const { return values.text.empty() ? std::to_string(fixed().value_or(0)) : values.text; }
    bool operator==(const drawn_count& other) const {
        return values.kind == other.values.kind && values.parameters == other.values.parameters;
    }
    static auto parts(auto& self) { return std::tie(self.values.kind, self.values.parameters, self.values.text); }
};

} // namespace gaisnet
