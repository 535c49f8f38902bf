#pragma once

#include "base/random.hpp"

#include <ATen/ops/empty.h>

#include <cstdint>
#include <vector>

namespace gaisnet::lab {

/// Normally distributed float32 values, others for each number.
inline at::Tensor drawn_tensor(const std::vector<std::int64_t>& shape, std::uint32_t number) {
    auto out = at::empty(shape);
    random_stream draw(1, "test", "tensor", 0, number);
    for (std::int64_t i = 0; i < out.numel(); ++i) {
        out.data_ptr<float>()[i] = static_cast<float>(draw.normal());
    }
    return out;
}

} // namespace gaisnet::lab
