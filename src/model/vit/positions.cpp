#include "model/vit/positions.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace gaisnet {

namespace {

double cubic_kernel(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    }
    return x < 2.0 ? a * (((x - 5.0) * x + 8.0) * x - 4.0) : 0.0;
}

/// What one row or column of the new square is made of: weights of neighbouring ones of the old.
struct weighted_range {
    std::size_t first = 0;
    std::vector<double> weights;
};

std::vector<weighted_range> ranges_of(std::int64_t from, std::int64_t to) {
    const double factor = static_cast<double>(from) / static_cast<double>(to);
    const double stretch = std::max(factor, 1.0), reach = 2.0 * stretch;
    std::vector<weighted_range> ranges;
    for (std::int64_t i = 0; i < to; ++i) {
        const double centre = factor * (static_cast<double>(i) + 0.5);
        const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - reach + 0.5));
        const auto end = std::min(from, static_cast<std::int64_t>(centre + reach + 0.5));
        weighted_range range{static_cast<std::size_t>(first), {}};
        double sum = 0;
        for (auto j = first; j < end; ++j) {
            range.weights.push_back(cubic_kernel((static_cast<double>(j) - centre + 0.5) / stretch));
            sum += range.weights.back();
        }
        for (auto& weight : range.weights) {
            weight /= sum;
        }
        ranges.push_back(std::move(range));
    }
    return ranges;
}

/// Resizes the second axis of [rows, from, inner].
std::vector<double> resized_axis(const std::vector<double>& values, std::size_t rows, std::size_t from,
                                 std::size_t inner, const std::vector<weighted_range>& ranges) {
    std::vector<double> out(rows * ranges.size() * inner, 0.0);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            for (std::size_t j = 0; j < ranges[i].weights.size(); ++j) {
                const auto weight = ranges[i].weights[j];
                const auto* source = values.data() + (row * from + ranges[i].first + j) * inner;
                auto* target = out.data() + (row * ranges.size() + i) * inner;
                for (std::size_t k = 0; k < inner; ++k) {
                    target[k] += weight * source[k];
                }
            }
        }
    }
    return out;
}

} // namespace

void resize_positions(std::span<const float> from, std::int64_t from_side, std::span<float> to, std::int64_t to_side,
                      std::int64_t dim) {
    const auto ranges = ranges_of(from_side, to_side);
    const auto old_side = static_cast<std::size_t>(from_side), width = static_cast<std::size_t>(dim);
    const std::vector<double> square(from.begin(), from.end());
    const auto columns = resized_axis(square, old_side, old_side, width, ranges);
    const auto both = resized_axis(columns, 1, old_side, ranges.size() * width, ranges);
    std::transform(both.begin(), both.end(), to.begin(), [](double value) { return static_cast<float>(value); });
}

} // namespace gaisnet
