#include "data/noisy_bytes.hpp"

#include "base/fast_code.hpp"

#include <algorithm>
#include <array>

namespace gaisnet {

namespace {

constexpr std::size_t width = 512; ///< Values of one pass.

GAISNET_FAST void round_all(const double* clean, const float* normals, double scale, double deviation, double slack,
                            std::uint8_t* bytes, std::uint8_t* doubtful, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const double value = scale * (clean[i] + deviation * static_cast<double>(normals[i]));
        const bool known = value == value;
        const double raised = std::min(std::max(known ? value : 0.0, 0.0), 255.0) + 0.5;
        const auto whole = static_cast<std::int32_t>(raised);
        const double part = raised - static_cast<double>(whole);
        bytes[i] = static_cast<std::uint8_t>(whole);
        doubtful[i] = !known | (part < slack) | (part > 1.0 - slack);
    }
}

GAISNET_WIDE void round_all_wide(const double* clean, const float* normals, double scale, double deviation,
                                 double slack, std::uint8_t* bytes, std::uint8_t* doubtful, std::size_t count) {
    round_all(clean, normals, scale, deviation, slack, bytes, doubtful, count);
}

} // namespace

void add_noise(const clean_values& values, const normal_sequence& normals, std::uint64_t first,
               std::span<std::uint8_t> bytes, const std::function<std::uint8_t(std::size_t)>& exact) {
    const double slack = values.scale * values.deviation * normal_sequence::tolerance + 1e-9;
    std::array<float, width> nearly;
    std::array<std::uint8_t, width> doubtful;
    for (std::size_t begin = 0; begin < bytes.size(); begin += width) {
        const auto count = std::min(width, bytes.size() - begin);
        normals.approximate(first + begin, {nearly.data(), count});
        (has_wide_registers ? round_all_wide : round_all)(values.clean.data() + begin, nearly.data(), values.scale,
                                                          values.deviation, slack, bytes.data() + begin,
                                                          doubtful.data(), count);
        for (std::size_t i = 0; i < count; ++i) {
            if (doubtful[i]) {
                bytes[begin + i] = exact(begin + i);
            }
        }
    }
}

} // namespace gaisnet
