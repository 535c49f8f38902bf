#include "model/low_rank.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gaisnet {

namespace {

using column = std::vector<double>;

/// Four sums side by side: the order of additions is fixed, and compilers may do them at once.
double dot(const double* a, const double* b, std::size_t size) {
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    std::size_t i = 0;
    for (; i + 4 <= size; i += 4) {
        for (std::size_t k = 0; k < 4; ++k) {
            sums[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < size; ++i) {
        sums[0] += a[i] * b[i];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
double dot(const column& a, const column& b) { return dot(a.data(), b.data(), a.size()); }

/// a -= factor x b
void subtract(double* a, double factor, const double* b, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        a[i] -= factor * b[i];
    }
}

void scale(column& a, double factor) {
    for (auto& value : a) {
        value *= factor;
    }
}

/// Makes a vector orthogonal to orthonormal ones; twice is enough (Kahan and Parlett).
void orthogonalise(column& vector, const std::vector<column>& basis) {
    for (int pass = 0; pass < 2; ++pass) {
        for (const auto& other : basis) {
            subtract(vector.data(), dot(vector, other), other.data(), vector.size());
        }
    }
}

/// matrix = sum over k of columns[k] x rows[k], with orthonormal rows.
struct row_basis {
    std::vector<column> columns, rows;
};

row_basis find_row_basis(std::span<const double> matrix, std::size_t rows, std::size_t columns) {
    constexpr double nothing = 0x1p-40;
    column rest(matrix.begin(), matrix.end());
    const auto row = [&](std::size_t i) { return rest.data() + i * columns; };
    column squares(rows);
    for (std::size_t i = 0; i < rows; ++i) {
        squares[i] = dot(row(i), row(i), columns);
    }
    const double least = nothing * nothing * std::accumulate(squares.begin(), squares.end(), 0.0);
    row_basis out;
    while (out.rows.size() < std::min(rows, columns)) {
        const auto pivot = static_cast<std::size_t>(std::max_element(squares.begin(), squares.end()) - squares.begin());
        if (!(squares[pivot] > least)) {
            break;
        }
        column direction(row(pivot), row(pivot) + columns);
        scale(direction, 1.0 / std::sqrt(squares[pivot]));
        orthogonalise(direction, out.rows);
        scale(direction, 1.0 / std::sqrt(dot(direction, direction)));
        column along(rows);
        for (std::size_t i = 0; i < rows; ++i) {
            along[i] = dot(row(i), direction.data(), columns);
            subtract(row(i), along[i], direction.data(), columns);
            squares[i] = dot(row(i), row(i), columns);
        }
        out.rows.push_back(std::move(direction));
        out.columns.push_back(std::move(along));
    }
    return out;
}

/// columns[k] = sum over j of basis[j] x coefficients[k][j]; where a column is a sum of earlier ones its basis vector is 0.
struct column_basis {
    std::vector<column> basis, coefficients;
};

column_basis find_column_basis(const std::vector<column>& columns) {
    constexpr double nothing = 1e-14;
    column_basis out;
    for (const auto& given : columns) {
        auto vector = given;
        column coefficients(columns.size(), 0.0);
        for (int pass = 0; pass < 2; ++pass) {
            for (std::size_t j = 0; j < out.basis.size(); ++j) {
                const double along = dot(vector, out.basis[j]);
                coefficients[j] += along;
                subtract(vector.data(), along, out.basis[j].data(), vector.size());
            }
        }
        const double length = std::sqrt(dot(vector, vector));
        const bool is_new = length > nothing * std::sqrt(dot(given, given));
        coefficients[out.basis.size()] = is_new ? length : 0.0;
        scale(vector, is_new ? 1.0 / length : 0.0);
        out.basis.push_back(std::move(vector));
        out.coefficients.push_back(std::move(coefficients));
    }
    return out;
}

/// Rotates columns until they are orthogonal, and `turned` in the same way.
void make_orthogonal(std::vector<column>& columns, std::vector<column>& turned) {
    constexpr double orthogonal = 1e-14;
    constexpr int most_sweeps = 60; // ten are usual
    const auto rotate = [](column& a, column& b, double cosine, double sine) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double before = a[i];
            a[i] = cosine * before - sine * b[i];
            b[i] = sine * before + cosine * b[i];
        }
    };
    bool done = false;
    for (int sweep = 0; sweep < most_sweeps && !done; ++sweep) {
        done = true;
        for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
            for (std::size_t j = i + 1; j < columns.size(); ++j) {
                const double one = dot(columns[i], columns[i]), other = dot(columns[j], columns[j]);
                const double both = dot(columns[i], columns[j]);
                if (!(std::abs(both) > orthogonal * std::sqrt(one) * std::sqrt(other))) {
                    continue;
                }
                done = false;
                const double ratio = (other - one) / (2.0 * both);
                const double tangent = (ratio < 0.0 ? -1.0 : 1.0) / (std::abs(ratio) + std::sqrt(1.0 + ratio * ratio));
                const double cosine = 1.0 / std::sqrt(1.0 + tangent * tangent);
                rotate(columns[i], columns[j], cosine, cosine * tangent);
                rotate(turned[i], turned[j], cosine, cosine * tangent);
            }
        }
    }
}

/// A unit vector orthogonal to orthonormal ones, from the axis that they leave out most; any axis if they leave out none.
column next_axis(const std::vector<column>& known, std::size_t size) {
    column left(size, 1.0); // of each axis, squared
    for (const auto& one : known) {
        for (std::size_t i = 0; i < size; ++i) {
            left[i] -= one[i] * one[i];
        }
    }
    column axis(size, 0.0);
    if (known.size() >= size) {
        axis[known.size() % size] = 1.0;
        return axis;
    }
    axis[static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin())] = 1.0;
    orthogonalise(axis, known);
    scale(axis, 1.0 / std::sqrt(dot(axis, axis)));
    return axis;
}

} // namespace

matrix_factors factorise(std::span<const double> matrix, std::int64_t rows, std::int64_t columns, std::int64_t rank) {
    const auto height = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(columns);
    const auto wanted = static_cast<std::size_t>(rank);
    const auto by_rows = find_row_basis(matrix, height, width);
    auto [basis, core] = find_column_basis(by_rows.columns);
    const auto found = core.size();
    std::vector<column> turned(found, column(found, 0.0));
    for (std::size_t k = 0; k < found; ++k) {
        turned[k][k] = 1.0;
    }
    make_orthogonal(core, turned);
    std::vector<double> lengths(found);
    std::vector<std::size_t> order(found);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t k = 0; k < found; ++k) {
        lengths[k] = std::sqrt(dot(core[k], core[k]));
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });

    matrix_factors out{column(height * wanted, 0.0), {}, column(wanted, 0.0)};
    std::vector<column> directions;
    for (std::size_t k = 0; k < std::min(wanted, found); ++k) {
        const auto from = order[k];
        out.values[k] = lengths[from];
        column direction(width, 0.0), along(height, 0.0);
        for (std::size_t j = 0; j < found; ++j) {
            subtract(direction.data(), -turned[from][j], by_rows.rows[j].data(), width);
            subtract(along.data(), -core[from][j], basis[j].data(), height);
        }
        for (std::size_t i = 0; i < height; ++i) {
            out.left[i * wanted + k] = along[i];
        }
        directions.push_back(std::move(direction));
    }
    while (directions.size() < wanted) {
        directions.push_back(next_axis(directions, width));
    }
    for (const auto& one : directions) {
        out.right.insert(out.right.end(), one.begin(), one.end());
    }
    return out;
}

void product_average::combine(std::span<const float* const> tensors, std::int64_t size, std::span<double> out) const {
    const auto *a = tensors[0], *b = tensors[1];
    std::fill(out.begin(), out.end(), 0.0);
    for (std::int64_t i = 0; i < out_; ++i) {
        auto* row = out.data() + i * in_;
        for (std::int64_t k = 0; k < size; ++k) {
            const double factor = b[i * size + k];
            const auto* slice = a + k * in_;
            for (std::int64_t j = 0; j < in_; ++j) {
                row[j] += factor * static_cast<double>(slice[j]);
            }
        }
    }
}

void product_average::divide(std::span<const double> mean, std::span<float> tensors) const {
    const auto factors = factorise(mean, out_, in_, rank_);
    const auto narrow = [](double value) { return static_cast<float>(value); };
    const auto b = std::transform(factors.right.begin(), factors.right.end(), tensors.begin(), narrow);
    std::transform(factors.left.begin(), factors.left.end(), b, narrow);
}

double product_average::rank_of_mean(std::int64_t sizes) const {
    return static_cast<double>(std::min({out_, in_, sizes}));
}

double product_average::combine_flops(std::int64_t size) const {
    return 2.0 * static_cast<double>(out_) * static_cast<double>(in_) * static_cast<double>(size);
}

/// Golub and Van Loan, Matrix Computations (4th ed.): QR with column pivoting to rank q (section 5.4.2), and the singular
/// value decomposition of what is left, [max(out, in), q] (R-SVD, figure 8.6.1).
double product_average::divide_flops(std::int64_t sizes) const {
    const auto m = static_cast<double>(out_), n = static_cast<double>(in_), q = rank_of_mean(sizes);
    const double pivoted = 4.0 * m * n * q - 2.0 * q * q * (m + n) + 4.0 * q * q * q / 3.0;
    return pivoted + 6.0 * std::max(m, n) * q * q + 20.0 * q * q * q;
}

std::uint64_t product_average::workspace_bytes(std::int64_t sizes) const {
    const double m = static_cast<double>(out_), n = static_cast<double>(in_), q = rank_of_mean(sizes);
    return static_cast<std::uint64_t>(m * n + q * (2.0 * m + n) + 2.0 * q * q) * sizeof(double);
}

} // namespace gaisnet
