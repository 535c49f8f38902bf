#pragma once

#include "data/image.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

/// How well a start point senses.
struct sample_quality {
    double label_noise = 0; ///< Probability that a sample has the label of another class.
    double blur = 0;        ///< Standard deviation of a Gaussian blur, pixels of the image as it is stored.
    double noise = 0;       ///< Standard deviation of Gaussian noise on every channel, relative to the full scale.
    double token_noise = 0; ///< Probability that a token of a text is read as another one.
};

/// The image as it is sensed: blurred, then with noise. A pure function of its arguments.
image degrade(image, const sample_quality&, std::uint64_t seed, const std::string& name);
/// The label of a sample: a wrong one of the `classes` with probability label_noise.
std::int64_t sensed_label(std::int64_t label, std::int64_t classes, const sample_quality&, std::uint64_t seed,
                          const std::string& name);

} // namespace gaisnet
