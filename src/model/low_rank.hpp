#pragma once

#include "model/average_rule.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gaisnet {

/// Two factors of a matrix.
struct matrix_factors {
    std::vector<double> left;   ///< [rows, rank], row-major: orthogonal columns, whose lengths are the singular values.
    std::vector<double> right;  ///< [rank, columns], row-major: orthonormal rows.
    std::vector<double> values; ///< [rank]: the singular values, descending.
};

/// The best approximation of a matrix [rows, columns], row-major, by one of rank `rank`: the largest terms of its singular
/// value decomposition (Eckart and Young, Psychometrika 1936), so the first r columns and rows of the factors are the best
/// approximation of rank r. Gram-Schmidt with row pivoting finds a basis of the rows, and one-sided Jacobi (Hestenes, 1958)
/// decomposes the matrix in it: O(rows x columns x q + q^3) for a matrix of rank q. What is smaller than 2^-40 of the
/// matrix counts as 0. Where there are fewer singular values than `rank`, columns of `left` are 0, and rows of `right` go on
/// orthonormal, or, beyond the number of columns, are unit vectors. The same bits for the same matrix.
matrix_factors factorise(std::span<const double> matrix, std::int64_t rows, std::int64_t columns, std::int64_t rank);

/// Averages the product B A of two factors, A [r, in] and B [out, r], in this order, and factorises the mean again, to the
/// edge's rank (FlexLoRA, Bai et al., NeurIPS 2024; HLoRA, Liu et al., 2025): B has the singular values, A unit rows.
class product_average final : public joint_average {
public:
    product_average(std::int64_t out, std::int64_t in, std::int64_t rank): out_(out), in_(in), rank_(rank) {}

    std::int64_t elements() const override { return out_ * in_; }
    void combine(std::span<const float* const> tensors, std::int64_t size, std::span<double> out) const override;
    void divide(std::span<const double> mean, std::span<float> tensors) const override;
    double combine_flops(std::int64_t size) const override;
    double divide_flops(std::int64_t sizes) const override;
    std::uint64_t workspace_bytes(std::int64_t sizes) const override;

private:
    /// The rank that a mean of factors of these sizes may have.
    double rank_of_mean(std::int64_t sizes) const;

    std::int64_t out_, in_, rank_;
};

} // namespace gaisnet
