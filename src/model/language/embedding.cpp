#include "model/language/embedding.hpp"

#include "base/error.hpp"

#include <ATen/ops/embedding.h>

#include <string>

namespace gaisnet {

at::Tensor rows_of(const at::Tensor& matrix, const at::Tensor& numbers) {
    return at::embedding(matrix, numbers.to(matrix.device()));
}

void check_positions(const at::Tensor& numbers, std::int64_t first_position, std::int64_t positions) {
    const auto last = first_position + numbers.size(-1);
    if (last > positions) {
        throw usage_error("a text has " + std::to_string(last) +
                          " tokens, prompts included; at most model.positions = " + std::to_string(positions) +
                          " are accepted");
    }
}

} // namespace gaisnet
