#include "model/llama/rotary.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <cmath>

namespace gaisnet {

at::Tensor rotary_positions::turn(const at::Tensor& tokens, std::int64_t first) const {
    const auto length = tokens.size(2), half = width_ / 2;
    const auto all = positions(first + length, tokens);
    const auto cosines = all.cosines.narrow(0, first, length), sines = all.sines.narrow(0, first, length);
    const auto quarter_turn = at::cat({-tokens.narrow(3, half, half), tokens.narrow(3, 0, half)}, 3);
    return tokens * cosines + quarter_turn * sines;
}

rotary_positions::table rotary_positions::positions(std::int64_t count, const at::Tensor& like) const {
    const std::lock_guard lock(guard_);
    const bool fits = known_.cosines.defined() && known_.cosines.size(0) >= count &&
                      known_.cosines.device() == like.device() && known_.cosines.scalar_type() == like.scalar_type();
    if (!fits) {
        constexpr std::int64_t step = 64; // so that texts that grow by a token do not make it anew for each
        const auto rows = (count + step - 1) / step * step, half = width_ / 2;
        auto cosines = at::empty({rows, width_}, at::kFloat), sines = at::empty({rows, width_}, at::kFloat);
        auto* cosine = cosines.data_ptr<float>();
        auto* sine = sines.data_ptr<float>();
        for (std::int64_t i = 0; i < half; ++i) {
            const auto exponent = static_cast<double>(2 * i) / static_cast<double>(width_);
            const auto frequency = static_cast<float>(std::pow(theta_, -exponent));
            for (std::int64_t position = 0; position < rows; ++position) {
                const float angle = static_cast<float>(position) * frequency;
                for (const auto place : {position * width_ + i, position * width_ + i + half}) {
                    cosine[place] = static_cast<float>(std::cos(static_cast<double>(angle)));
                    sine[place] = static_cast<float>(std::sin(static_cast<double>(angle)));
                }
            }
        }
        known_ = {cosines.to(like.options()), sines.to(like.options())};
    }
    return known_;
}

} // namespace gaisnet
