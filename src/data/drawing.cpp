#include "data/drawing.hpp"

#include "base/fast_code.hpp"
#include "data/noisy_bytes.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

constexpr double pi = std::numbers::pi;

/// 1 where `distance` is below `edge`, 0 above, with a soft border of +-width.
GAISNET_FAST double inside(double distance, double edge, double width) {
    return std::min(std::max(0.5 + (edge - distance) / (2.0 * width + 1e-9), 0.0), 1.0);
}

/// Distance to the nearest whole number: 0 to 0.5.
GAISNET_FAST double off_whole(double x) { return std::abs(x - std::round(x)); }

/// Distance to the nearest vertical joint of a brick wall; bricks are twice as long as high, and each row is shifted by
/// half a brick.
GAISNET_FAST double bond(double u, double v) {
    const double row = std::floor(v);
    return 2.0 * off_whole(0.5 * u + off_whole(0.5 * row));
}

struct exact_math {
    static double length(double x, double y) { return std::hypot(x, y); }
    static double angle(double x, double y) { return std::atan2(y, x); }
};
struct fast_math {
    GAISNET_FAST static double length(double x, double y) { return std::sqrt(x * x + y * y); }
    /// NaN where the angle cannot be computed accurately enough.
    GAISNET_FAST static double angle(double x, double y) {
        return std::abs(x) + std::abs(y) > 1e-5 ? std::atan2(y, x) : std::numeric_limits<double>::quiet_NaN();
    }
};

/// The share of the figure's colour at (u, v), both in periods: 0 to 1. It is continuous except at the centre of the
/// rays, so small errors stay small.
template <int pattern, typename Math>
GAISNET_FAST double figure_at(const drawing& d, double u, double v) {
    const double stripe = 0.25 * d.width;
    const double across = off_whole(u), down = off_whole(v);
    if constexpr (pattern == 0) {
        return inside(down, stripe, d.softness);
    } else if constexpr (pattern == 1) {
        return inside(across, stripe, d.softness);
    } else if constexpr (pattern == 2) {
        return inside(off_whole((u + d.lean * v) * std::sqrt(0.5)), stripe, d.softness);
    } else if constexpr (pattern == 3) {
        return inside((across - 0.25) * (0.25 - down) * 8.0, 0.0, 2.0 * d.softness);
    } else if constexpr (pattern == 4) {
        return inside(off_whole(Math::length(u, v)), stripe, d.softness);
    } else if constexpr (pattern == 5) {
        return inside(Math::length(across, down), 0.4 * std::sqrt(d.width), d.softness);
    } else if constexpr (pattern == 6) {
        return inside(std::min(down, bond(u, v)), 0.13 * d.width, 0.7 * d.softness);
    } else if constexpr (pattern == 7) {
        return inside(std::min(across, down), 0.13 * d.width, 0.7 * d.softness);
    } else if constexpr (pattern == 8) {
        return inside(off_whole(v + 2.0 * off_whole(0.7 * u)), stripe, d.softness);
    } else {
        return inside(off_whole(Math::angle(u, v) * 8.0 / (2.0 * pi)), stripe, d.softness);
    }
}

/// What the colour channels of a pixel share.
struct shade {
    double figure, light;
};

template <int pattern, typename Math>
GAISNET_FAST shade shade_at(const drawing& d, double x, double y, const lighting::part& column,
                            const lighting::part& row) {
    const double u = (x * d.cosine - y * d.sine) * d.periods + d.shift_u;
    const double v = (x * d.sine + y * d.cosine) * d.periods + d.shift_v;
    return {figure_at<pattern, Math>(d, u, v), column.slope + row.slope + column.wave * row.wave};
}

GAISNET_FAST double value_at(const drawing& d, const shade& here, std::size_t colour) {
    return d.ground[colour] + (d.figure[colour] - d.ground[colour]) * here.figure + here.light;
}

double place_of(std::size_t i, std::size_t side) {
    return (static_cast<double>(i) + 0.5) / static_cast<double>(side) - 0.5;
}

/// Approximate values of a row before noise, [column, colour].
template <int pattern>
GAISNET_FAST void fill_row(const drawing& d, double y, const double* xs, const lighting::part* columns,
                           const lighting::part& row, double* values, std::size_t side) {
    for (std::size_t i = 0; i < side; ++i) {
        const auto here = shade_at<pattern, fast_math>(d, xs[i], y, columns[i], row);
        for (std::size_t colour = 0; colour < 3; ++colour) {
            values[3 * i + colour] = value_at(d, here, colour);
        }
    }
}

template <int pattern>
GAISNET_WIDE void fill_row_wide(const drawing& d, double y, const double* xs, const lighting::part* columns,
                                const lighting::part& row, double* values, std::size_t side) {
    fill_row<pattern>(d, y, xs, columns, row, values, side);
}

/// Draws one pattern.
struct drawer {
    decltype(&fill_row_wide<0>) nearly;
    decltype(&shade_at<0, exact_math>) exact;
};

template <int... patterns>
std::array<drawer, sizeof...(patterns)> make_drawers(std::integer_sequence<int, patterns...>) {
    return {
        drawer{has_wide_registers ? fill_row_wide<patterns> : fill_row<patterns>, shade_at<patterns, exact_math>}...};
}

const drawer& drawer_of(int pattern) {
    static const auto drawers = make_drawers(std::make_integer_sequence<int, 10>());
    return drawers.at(static_cast<std::size_t>(pattern));
}

/// The drawing at a given pixel resolution.
struct canvas {
    canvas(const drawing& what, std::size_t pixels): d(what), side(pixels), xs(pixels) {
        for (std::size_t i = 0; i < side; ++i) {
            xs[i] = place_of(i, side);
            columns.push_back(d.light.column(xs[i]));
        }
    }
    std::uint8_t exact(std::size_t row, std::size_t number, const normal_sequence& normals) const {
        const auto column = number / 3;
        const auto here = drawer_of(d.pattern).exact(d, xs[column], xs[row], columns[column], d.light.row(xs[row]));
        const double value = value_at(d, here, number % 3) + d.noise * normals.exact(row * side * 3 + number);
        return static_cast<std::uint8_t>(std::lround(255.0 * std::clamp(value, 0.0, 1.0)));
    }
    image blank() const {
        return {static_cast<int>(side), static_cast<int>(side), std::vector<std::uint8_t>(side * side * 3)};
    }

    const drawing& d;
    std::size_t side;
    std::vector<double> xs;
    std::vector<lighting::part> columns;
};

} // namespace

image drawn(const drawing& d, std::size_t side, const normal_sequence& normals) {
    const canvas on(d, side);
    auto out = on.blank();
    std::vector<double> values(side * 3);
    for (std::size_t row = 0; row < side; ++row) {
        drawer_of(d.pattern).nearly(d, on.xs[row], on.xs.data(), on.columns.data(), d.light.row(on.xs[row]),
                                    values.data(), side);
        const auto first = row * side * 3;
        add_noise({values, 255.0, d.noise}, normals, first, std::span(out.rgb).subspan(first, side * 3),
                  [&](std::size_t number) { return on.exact(row, number, normals); });
    }
    return out;
}

image drawn_value_by_value(const drawing& d, std::size_t side, const normal_sequence& normals) {
    const canvas on(d, side);
    auto out = on.blank();
    for (std::size_t i = 0; i < out.rgb.size(); ++i) {
        out.rgb[i] = on.exact(i / (side * 3), i % (side * 3), normals);
    }
    return out;
}

} // namespace gaisnet
