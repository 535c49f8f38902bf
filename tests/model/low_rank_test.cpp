#include "model/low_rank.hpp"

#include "base/random.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace gaisnet {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

std::vector<double> random_matrix(std::int64_t rows, std::int64_t columns, const std::string& name) {
    random_stream stream(3, "matrix", name);
    std::vector<double> out(static_cast<std::size_t>(rows * columns));
    std::generate(out.begin(), out.end(), [&] { return stream.normal(); });
    return out;
}

/// left [rows, inner] x right [inner, columns], of which the first `terms` count.
std::vector<double> times(const std::vector<double>& left, const std::vector<double>& right, std::int64_t rows,
                          std::int64_t inner, std::int64_t columns, std::int64_t terms) {
    std::vector<double> out(static_cast<std::size_t>(rows * columns), 0.0);
    for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t k = 0; k < terms; ++k) {
            for (std::int64_t j = 0; j < columns; ++j) {
                out[static_cast<std::size_t>(i * columns + j)] +=
                    left[static_cast<std::size_t>(i * inner + k)] * right[static_cast<std::size_t>(k * columns + j)];
            }
        }
    }
    return out;
}

/// The largest |R R^T - 1| of rows R.
double not_orthonormal(const matrix_factors& factors, std::int64_t rank, std::int64_t columns) {
    double largest = 0.0;
    for (std::int64_t a = 0; a < rank; ++a) {
        for (std::int64_t b = 0; b < rank; ++b) {
            double sum = a == b ? -1.0 : 0.0;
            for (std::int64_t j = 0; j < columns; ++j) {
                sum += factors.right[static_cast<std::size_t>(a * columns + j)] *
                       factors.right[static_cast<std::size_t>(b * columns + j)];
            }
            largest = std::max(largest, std::abs(sum));
        }
    }
    return largest;
}

TEST(low_rank, a_matrix_of_that_rank_is_the_product_of_its_factors) {
    struct {
        std::int64_t rows, columns, rank;
    } const cases[] = {{7, 7, 7}, {30, 5, 3}, {5, 30, 3}, {40, 60, 8}, {1, 9, 1}, {9, 1, 1}};
    for (const auto& [rows, columns, rank] : cases) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
        const auto matrix =
            times(random_matrix(rows, rank, "left"), random_matrix(rank, columns, "right"), rows, rank, columns, rank);
        const auto factors = factorise(matrix, rows, columns, rank);
        EXPECT_THAT(times(factors.left, factors.right, rows, rank, columns, rank),
                    Pointwise(DoubleNear(1e-12 * factors.values[0]), matrix));
        EXPECT_LT(not_orthonormal(factors, rank, columns), 1e-13);
        EXPECT_TRUE(std::is_sorted(factors.values.rbegin(), factors.values.rend()));
        EXPECT_GT(factors.values.back(), 0.0);
    }
}

/// 5 u1 v1' + 3 u2 v2' + 2 u3 v3' of rows of Hadamard matrices: what is left out of it is known.
TEST(low_rank, the_largest_terms_are_the_best_approximation) {
    const std::vector<double> u{0.5, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0.5, -0.5, -0.5}; // three rows of four
    const std::vector<double> v{0.5, -0.5, -0.5, 0.5, 0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5};
    const double weights[] = {5, 3, 2};
    std::vector<double> left(12);
    for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t i = 0; i < 4; ++i) {
            left[i * 3 + k] = weights[k] * u[k * 4 + i];
        }
    }
    const auto matrix = times(left, v, 4, 3, 4, 3);
    for (const std::int64_t rank : {1, 2, 3}) {
        const auto factors = factorise(matrix, 4, 4, rank);
        EXPECT_THAT(times(factors.left, factors.right, 4, rank, 4, rank),
                    Pointwise(DoubleNear(1e-13), times(left, v, 4, 3, 4, rank)));
        for (std::int64_t k = 0; k < rank; ++k) {
            EXPECT_NEAR(factors.values[static_cast<std::size_t>(k)], weights[k], 1e-13);
        }
    }
    // A client of rank 1 gets the first terms of what an edge of rank 3 has.
    const auto whole = factorise(matrix, 4, 4, 3);
    EXPECT_THAT(times(whole.left, whole.right, 4, 3, 4, 1), Pointwise(DoubleNear(1e-13), times(left, v, 4, 3, 4, 1)));
}

TEST(low_rank, terms_that_a_matrix_lacks_are_zero_and_can_be_trained) {
    const std::vector<double> nothing(15, 0.0);
    const auto empty = factorise(nothing, 3, 5, 2);
    EXPECT_THAT(empty.left, testing::Each(0.0));
    EXPECT_LT(not_orthonormal(empty, 2, 5), 1e-15) << "so that the other factor has a gradient";
    auto one = nothing;
    one[7] = -4.0; // row 1, column 2
    const auto single = factorise(one, 3, 5, 3);
    EXPECT_THAT(single.values, ElementsAre(4.0, 0.0, 0.0));
    EXPECT_LT(not_orthonormal(single, 3, 5), 1e-15);
    EXPECT_THAT(times(single.left, single.right, 3, 3, 5, 3), Pointwise(DoubleNear(1e-15), one));
    const auto more = factorise({{2.0, 0.0}}, 1, 2, 4); // a larger rank than there are columns
    EXPECT_THAT(more.values, ElementsAre(2.0, 0.0, 0.0, 0.0));
    EXPECT_EQ(more.right.size(), 8U);
    EXPECT_LT(not_orthonormal(more, 2, 2), 1e-15);
}

TEST(low_rank, equal_singular_values_and_near_ones_are_told_apart) {
    std::vector<double> equal(36, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
        equal[i * 6 + i] = i < 3 ? 1.0 : 1.0 + 1e-9;
    }
    const auto factors = factorise(equal, 6, 6, 3);
    for (const double value : factors.values) {
        EXPECT_NEAR(value, 1.0 + 1e-9, 1e-15);
    }
    double first = 0.0; // of the smaller ones nothing is left
    for (std::size_t i = 0; i < 9; ++i) {
        first += std::abs(factors.left[i]);
    }
    EXPECT_LT(first, 1e-6);
}

TEST(low_rank, the_size_of_a_matrix_does_not_matter) {
    const auto matrix = times(random_matrix(9, 4, "a"), random_matrix(4, 6, "b"), 9, 4, 6, 4);
    auto small = matrix;
    for (auto& value : small) {
        value *= 0x1p-40;
    }
    const auto usual = factorise(matrix, 9, 6, 4), tiny = factorise(small, 9, 6, 4);
    EXPECT_EQ(tiny.right, usual.right);
    EXPECT_EQ(tiny.values[3], usual.values[3] * 0x1p-40);
}

TEST(low_rank, the_mean_of_products_costs_what_its_formula_says) {
    const product_average rule(10, 6, 2);
    EXPECT_EQ(rule.elements(), 60);
    EXPECT_EQ(rule.combine_flops(2), 2.0 * 60 * 2);
    const double q = 3; // ranks 1 and 2
    EXPECT_DOUBLE_EQ(rule.divide_flops(3),
                     4 * 60 * q - 2 * q * q * 16 + 4 * q * q * q / 3 + 6 * 10 * q * q + 20 * q * q * q);
    EXPECT_EQ(rule.divide_flops(100), rule.divide_flops(6)) << "no matrix has more than its rows or columns";
    EXPECT_EQ(rule.workspace_bytes(3), 8U * (60 + 3 * (2 * 10 + 6) + 2 * 9));
}

} // namespace
} // namespace gaisnet
