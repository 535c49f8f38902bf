#include "data/quality.hpp"

#include "base/normal_sequence.hpp"
#include "base/random.hpp"
#include "data/noisy_bytes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gaisnet {

namespace {

std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

/// One pass of a separable filter along rows (`step` 3) or columns (`step` 3 x width); borders are repeated.
std::vector<double> filter(const std::vector<double>& in, const std::vector<double>& kernel, int width, int height,
                           bool along_rows) {
    const int reach = static_cast<int>(kernel.size()) - 1;
    std::vector<double> out(in.size());
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < 3; ++c) {
                double sum = 0.0;
                for (int k = -reach; k <= reach; ++k) {
                    const int fx = along_rows ? std::clamp(x + k, 0, width - 1) : x;
                    const int fy = along_rows ? y : std::clamp(y + k, 0, height - 1);
                    sum += kernel[static_cast<std::size_t>(std::abs(k))] *
                           in[static_cast<std::size_t>((fy * width + fx) * 3 + c)];
                }
                out[static_cast<std::size_t>((y * width + x) * 3 + c)] = sum;
            }
        }
    }
    return out;
}

void blur(image& picture, double sigma) {
    std::vector<double> kernel{1.0};
    double sum = 1.0;
    for (int k = 1; k <= static_cast<int>(std::ceil(3.0 * sigma)); ++k) {
        kernel.push_back(std::exp(-0.5 * k * k / (sigma * sigma)));
        sum += 2.0 * kernel.back();
    }
    for (auto& weight : kernel) {
        weight /= sum;
    }
    const std::vector<double> values(picture.rgb.begin(), picture.rgb.end());
    const auto rows = filter(values, kernel, picture.width, picture.height, true);
    const auto both = filter(rows, kernel, picture.width, picture.height, false);
    std::transform(both.begin(), both.end(), picture.rgb.begin(), to_byte);
}

} // namespace

image degrade(image picture, const sample_quality& quality, std::uint64_t seed, const std::string& name) {
    if (quality.blur > 0.0) {
        blur(picture, quality.blur);
    }
    if (quality.noise > 0.0) {
        const normal_sequence normals(random_stream(seed, "data.noise", name));
        const double scale = 255.0 * quality.noise;
        const std::vector<double> clean(picture.rgb.begin(), picture.rgb.end());
        add_noise({clean, 1.0, scale}, normals, 0, picture.rgb,
                  [&](std::size_t i) { return to_byte(clean[i] + scale * normals.exact(i)); });
    }
    return picture;
}

std::int64_t sensed_label(std::int64_t label, std::int64_t classes, const sample_quality& quality, std::uint64_t seed,
                          const std::string& name) {
    if (quality.label_noise <= 0.0 || classes < 2) {
        return label;
    }
    random_stream stream(seed, "data.label_noise", name);
    if (stream.uniform() >= quality.label_noise) {
        return label;
    }
    return (label + 1 + static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(classes - 1)))) % classes;
}

} // namespace gaisnet
