#pragma once

#include <ATen/TensorOperators.h>

#include <cstdint>

namespace gaisnet {

/// The rows of a matrix [rows, dim] with these numbers: int64 [n, tokens] of any device to [n, tokens, dim].
at::Tensor rows_of(const at::Tensor& matrix, const at::Tensor& numbers);

/// \throws usage_error when the text is longer than the model's positions. \param numbers [..., tokens]
void check_positions(const at::Tensor& numbers, std::int64_t first_position, std::int64_t positions);

} // namespace gaisnet
