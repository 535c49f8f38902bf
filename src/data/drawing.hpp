#pragma once

#include "base/normal_sequence.hpp"
#include "data/image.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace gaisnet {

/// Lighting over an image: a slope and two crossed waves. Each term depends on either the column or the row.
struct lighting {
    double slope_x, slope_y, blotches, wave_x, wave_y, phase_x, phase_y;

    struct part {
        double slope, wave;
    };
    part column(double x) const {
        return {slope_x * x, blotches * std::sin(2.0 * std::numbers::pi * (wave_x * x + phase_x))};
    }
    part row(double y) const { return {slope_y * y, std::sin(2.0 * std::numbers::pi * (wave_y * y + phase_y))}; }
};

/// A procedural image before noise; the coordinates x and y run from -0.5 to 0.5.
struct drawing {
    int pattern;                          ///< Number of the class.
    double width;                         ///< Line width, relative to the medium width.
    double softness;                      ///< Width of the pattern's borders, in periods.
    double lean;                          ///< +1 or -1: slanted stripes rise or fall.
    double cosine, sine;                  ///< Of the rotation.
    double periods;                       ///< Periods of the pattern across the image.
    double shift_u, shift_v;              ///< Periods
    lighting light;                       ///< Added to all colours.
    std::array<double, 3> ground, figure; ///< 0 to 1
    double noise;                         ///< Standard deviation; the full scale is 1.
};

/// Renders the image with `side` x `side` pixels; the normals are used for its values in order.
image drawn(const drawing&, std::size_t side, const normal_sequence&);
/// The same image, with each value computed by its definition; about ten times slower.
image drawn_value_by_value(const drawing&, std::size_t side, const normal_sequence&);

} // namespace gaisnet
