#include "planning/gain_curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

namespace {

constexpr double believed_ratio = 0.5;
constexpr double of_measurement = 0.02, of_ceiling = 0.2, of_ratio = 0.3; // standard deviations

double square(double value) { return value * value; }

} // namespace

gain_curve::gain_curve(double start, double data_fit)
    : start_(start)
    , believed_ceiling_(start + std::clamp(data_fit, 0.0, 1.0) * (1.0 - start))
    , ceiling_(believed_ceiling_)
    , ratio_(believed_ratio) {}

void gain_curve::add(double accuracy) {
    measured_.push_back(accuracy);
    fit();
}

double gain_curve::at(std::size_t rounds) const {
    if (rounds == 0) {
        return start_;
    }
    if (rounds <= measured_.size()) {
        return measured_[rounds - 1];
    }
    return ceiling_ - (ceiling_ - start_) * std::pow(ratio_, static_cast<double>(rounds));
}

void gain_curve::fit() {
    double best = std::numeric_limits<double>::infinity();
    constexpr int ceilings = 200, ratios = 49;
    for (int i = 0; i <= ceilings; ++i) {
        const double ceiling = static_cast<double>(i) / ceilings;
        for (int j = 0; j < ratios; ++j) {
            const double ratio = 0.02 * j;
            double misfit =
                square((ceiling - believed_ceiling_) / of_ceiling) + square((ratio - believed_ratio) / of_ratio);
            double left = 1.0;
            for (const double accuracy : measured_) {
                left *= ratio;
                misfit += square((ceiling - (ceiling - start_) * left - accuracy) / of_measurement);
            }
            if (misfit < best) {
                best = misfit;
                ceiling_ = ceiling;
                ratio_ = ratio;
            }
        }
    }
}

} // namespace gaisnet
