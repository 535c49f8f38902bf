#pragma once

#include <cstdint>
#include <span>

namespace gaisnet {

/// Resizes the position embeddings of a square of patches, for images of another size: cubic convolution (Keys, 1981, with
/// a = -1/2), whose kernel grows with the factor where the square shrinks, as timm.layers.resample_abs_pos_embed does and
/// PyTorch calls bicubic with antialias. \param from [from_side, from_side, dim] \param to [to_side, to_side, dim]
void resize_positions(std::span<const float> from, std::int64_t from_side, std::span<float> to, std::int64_t to_side,
                      std::int64_t dim);

} // namespace gaisnet
