#pragma once

#include "data/image.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace gaisnet {

/// How an image becomes a model's input.
struct transform_spec {
    int size = 224; ///< Side of the square output, pixels.
    std::array<float, 3> mean{0.5F, 0.5F, 0.5F};
    std::array<float, 3> std{0.5F, 0.5F, 0.5F};
};

/// The part of an image that becomes a model's input.
struct picture_view {
    double x = 0, y = 0, width = 0, height = 0; ///< Pixels of the image
    bool flipped = false;                       ///< Left to right

    bool operator==(const picture_view&) const = default;
};

/// The parts that transform_train and transform_validation use of an image of this size.
picture_view training_view(int width, int height, std::uint64_t seed, const std::string& name, std::uint32_t epoch);
picture_view validation_view(int width, int height, int size);

/// Training: a random part of 35 % to 100 % of the area with a side ratio of 3/4 to 4/3, resized to size x size, and
/// flipped horizontally half of the time. (8 %, as in training from scratch, would often lose the object.) A function
/// of (seed, sample name, epoch). \param out [3, size, size].
void transform_train(const image&, const transform_spec&, std::uint64_t seed, const std::string& name,
                     std::uint32_t epoch, float* out);

/// Validation: resizes the shorter side to size x 256/224 and crops the centre, in one step (the central square of
/// 224/256 of the shorter side). An image that is already size x size is used as it is. \param out [3, size, size].
void transform_validation(const image&, const transform_spec&, float* out);

/// Bilinear resampling of the box [x, x + width) x [y, y + height) to size x size, with antialiasing when shrinking (a
/// triangle filter as wide as the step). Equals Pillow's resize(box=...), except that Pillow rounds to 8 bits between
/// the two passes. The box lies inside the image. \param out [3, size, size], 0 to 255.
void resample(const image&, double x, double y, double width, double height, int size, float* out);

} // namespace gaisnet
