#include "data/transform.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gaisnet {

namespace {

/// Weights of the source pixels of every output pixel along one axis.
struct taps {
    std::vector<int> first;
    std::vector<std::vector<float>> weights;
};

taps make_taps(double begin, double length, int size, int limit) {
    taps out;
    const double scale = length / size;
    const double support = std::max(scale, 1.0);
    for (int i = 0; i < size; ++i) {
        const double centre = begin + (i + 0.5) * scale;
        const int low = std::max(0, static_cast<int>(std::floor(centre - support + 0.5)));
        const int high = std::min(limit, static_cast<int>(std::floor(centre + support + 0.5)));
        std::vector<float> weights;
        double sum = 0.0;
        for (int source = low; source < high; ++source) {
            const double weight = std::max(0.0, 1.0 - std::abs((source + 0.5 - centre) / support));
            weights.push_back(static_cast<float>(weight));
            sum += weight;
        }
        for (auto& weight : weights) {
            weight = static_cast<float>(weight / sum);
        }
        out.first.push_back(low);
        out.weights.push_back(std::move(weights));
    }
    return out;
}

void normalise(const transform_spec& spec, float* out) {
    const auto plane = static_cast<std::size_t>(spec.size) * static_cast<std::size_t>(spec.size);
    for (std::size_t c = 0; c < 3; ++c) {
        const float scale = 1.0F / (255.0F * spec.std[c]), shift = spec.mean[c] / spec.std[c];
        for (std::size_t i = 0; i < plane; ++i) {
            out[c * plane + i] = out[c * plane + i] * scale - shift;
        }
    }
}

} // namespace

void resample(const image& picture, double x, double y, double width, double height, int size, float* out) {
    const auto columns = make_taps(x, width, size, picture.width);
    const auto rows = make_taps(y, height, size, picture.height);
    const auto side = static_cast<std::size_t>(size), stride = static_cast<std::size_t>(picture.width) * 3;
    // Horizontal pass first, only for the rows that are needed.
    const int top = rows.first.front();
    const int bottom = rows.first.back() + static_cast<int>(rows.weights.back().size());
    std::vector<float> narrow(static_cast<std::size_t>(bottom - top) * side * 3);
    for (int row = top; row < bottom; ++row) {
        const auto* from = picture.rgb.data() + static_cast<std::size_t>(row) * stride;
        auto* to = narrow.data() + static_cast<std::size_t>(row - top) * side * 3;
        for (std::size_t i = 0; i < side; ++i) {
            float sum[3] = {0, 0, 0};
            const auto* pixel = from + static_cast<std::size_t>(columns.first[i]) * 3;
            for (const float weight : columns.weights[i]) {
                for (int c = 0; c < 3; ++c) {
                    sum[c] += weight * static_cast<float>(*pixel++);
                }
            }
            std::copy(sum, sum + 3, to + i * 3);
        }
    }
    for (std::size_t i = 0; i < side; ++i) {
        const auto first = static_cast<std::size_t>(rows.first[i] - top);
        for (std::size_t j = 0; j < side; ++j) {
            float sum[3] = {0, 0, 0};
            for (std::size_t k = 0; k < rows.weights[i].size(); ++k) {
                const auto* pixel = narrow.data() + ((first + k) * side + j) * 3;
                for (int c = 0; c < 3; ++c) {
                    sum[c] += rows.weights[i][k] * pixel[c];
                }
            }
            for (std::size_t c = 0; c < 3; ++c) {
                out[(c * side + i) * side + j] = sum[c];
            }
        }
    }
}

picture_view training_view(int picture_width, int picture_height, std::uint64_t seed, const std::string& name,
                           std::uint32_t epoch) {
    random_stream draw(seed, "augment", name, epoch);
    constexpr double narrowest = 3.0 / 4.0, widest = 4.0 / 3.0;
    const double area = static_cast<double>(picture_width) * picture_height;
    // If none of ten draws fits (a very elongated picture), the largest part with an accepted side ratio is used.
    double width = std::min<double>(picture_width, picture_height * widest);
    double height = std::min<double>(picture_height, picture_width / narrowest);
    for (int attempt = 0; attempt < 10; ++attempt) {
        const double part = area * draw.uniform(0.35, 1.0);
        const double ratio = std::exp(draw.uniform(std::log(narrowest), std::log(widest)));
        const double w = std::sqrt(part * ratio), h = std::sqrt(part / ratio);
        if (w <= picture_width && h <= picture_height) {
            width = w;
            height = h;
            break;
        }
    }
    const double x = draw.uniform(0.0, picture_width - width), y = draw.uniform(0.0, picture_height - height);
    return {x, y, width, height, draw.uniform() < 0.5};
}

picture_view validation_view(int width, int height, int size) {
    if (width == size && height == size) {
        return {0, 0, static_cast<double>(size), static_cast<double>(size), false};
    }
    const double side = std::min(width, height) * (224.0 / 256.0);
    return {(width - side) / 2, (height - side) / 2, side, side, false};
}

void transform_train(const image& picture, const transform_spec& spec, std::uint64_t seed, const std::string& name,
                     std::uint32_t epoch, float* out) {
    const auto view = training_view(picture.width, picture.height, seed, name, epoch);
    resample(picture, view.x, view.y, view.width, view.height, spec.size, out);
    if (view.flipped) {
        for (auto row = out; row < out + 3 * spec.size * spec.size; row += spec.size) {
            std::reverse(row, row + spec.size);
        }
    }
    normalise(spec, out);
}

void transform_validation(const image& picture, const transform_spec& spec, float* out) {
    if (picture.width == spec.size && picture.height == spec.size) {
        const auto plane = static_cast<std::size_t>(spec.size) * static_cast<std::size_t>(spec.size);
        for (std::size_t i = 0; i < plane; ++i) {
            for (std::size_t c = 0; c < 3; ++c) {
                out[c * plane + i] = static_cast<float>(picture.rgb[i * 3 + c]);
            }
        }
    } else {
        const auto view = validation_view(picture.width, picture.height, spec.size);
        resample(picture, view.x, view.y, view.width, view.height, spec.size, out);
    }
    normalise(spec, out);
}

} // namespace gaisnet
