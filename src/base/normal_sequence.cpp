#include "base/normal_sequence.hpp"

#include "base/fast_code.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace gaisnet {

namespace {

/// Values computed in one pass, so that their random words fit into the first-level cache.
constexpr std::size_t width = 256;
using words = std::array<std::uint32_t, width>;

/// Natural logarithm in float32, for normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)), and log(m) by its series in
/// s = (m - 1) / (m + 1), 2 (s + s^3/3 + s^5/5 + s^7/7 + s^9/9); the rest is below 2e-9.
GAISNET_FAST float logarithm(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    constexpr std::uint32_t root_half = 0x3F3504F3;
    const auto exponent = static_cast<std::int32_t>(bits - root_half) >> 23;
    const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
    const float s = (m - 1.0F) / (m + 1.0F), q = s * s;
    const float series = 1.0F + q * (1.0F / 3 + q * (1.0F / 5 + q * (1.0F / 7 + q * (1.0F / 9))));
    return static_cast<float>(exponent) * std::numbers::ln2_v<float> + 2.0F * s * series;
}

/// cos(2 pi (0.5 + t)) for |t| <= 0.5: minus a sine of at most a quarter of a turn, by its Taylor series to y^11.
GAISNET_FAST float cosine_of_turns(float t) {
    const float y = 2.0F * std::numbers::pi_v<float> * (0.25F - std::abs(t)), q = y * y;
    return -y * (1.0F +
                 q * (-1.0F / 6 + q * (1.0F / 120 + q * (-1.0F / 5040 + q * (1.0F / 362880 - q * (1.0F / 39916800))))));
}

GAISNET_FAST void fill(const random_stream::block_source& source, std::uint64_t first, float* values,
                       std::size_t count) {
    words c0, c1, c2, c3;
    for (std::size_t i = 0; i < width; ++i) {
        const auto number = first + i;
        std::uint32_t block[4] = {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32),
                                  source.index, source.round};
        philox(block, source.key[0], source.key[1]);
        c0[i] = block[0];
        c1[i] = block[1];
        c2[i] = block[2];
        c3[i] = block[3];
    }
    std::array<float, width> out;
    for (std::size_t i = 0; i < width; ++i) {
        // 1 - u in units of 2^-27, as random_stream::uniform() makes u of 27 and 26 bits.
        const auto high = static_cast<std::int32_t>((1U << 27) - (c0[i] >> 5));
        const auto low = static_cast<std::int32_t>(c1[i] >> 6);
        const float left = static_cast<float>(high) - static_cast<float>(low) * 0x1p-26F;
        const float square = -2.0F * logarithm(left * 0x1p-27F);
        const float turn = static_cast<float>(static_cast<std::int32_t>(c2[i] >> 8)) * 0x1p-24F - 0.5F;
        const float value = std::sqrt(square) * cosine_of_turns(turn);
        // The square root loses half of its digits near 0, and a difference of nearly equal numbers loses most of them.
        // Both tests are branch-free float comparisons, because compilers vectorise those.
        const bool inexact = (square < 1e-4F) | (static_cast<float>(high) < 2.0F);
        out[i] = inexact ? std::numeric_limits<float>::quiet_NaN() : value;
    }
    std::copy_n(out.begin(), count, values);
}

GAISNET_WIDE void fill_wide(const random_stream::block_source& source, std::uint64_t first, float* values,
                            std::size_t count) {
    fill(source, first, values, count);
}

} // namespace

normal_sequence::normal_sequence(const random_stream& stream): source_(stream.blocks()) {}

double normal_sequence::exact(std::uint64_t number) const {
    auto source = source_;
    source.next += number;
    return random_stream(source).normal();
}

void normal_sequence::approximate(std::uint64_t first, std::span<float> values) const {
    for (std::size_t done = 0; done < values.size(); done += width) {
        const auto count = std::min(width, values.size() - done);
        (has_wide_registers ? fill_wide : fill)(source_, source_.next + first + done, values.data() + done, count);
    }
}

} // namespace gaisnet
