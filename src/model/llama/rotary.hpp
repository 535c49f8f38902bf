#pragma once

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <mutex>

namespace gaisnet {

/// Rotary position embedding (Su et al., 2021): values i and i + width / 2 of a head are turned together by the angle
/// position x theta^(-2 i / width), as in Hugging Face's models. Angles are float32 products, as there; their cosines do
/// not depend on how many are made at a time.
class rotary_positions {
public:
    rotary_positions(std::int64_t width, double theta): width_(width), theta_(theta) {}

    /// Turns [n, heads, tokens, width], of which the first token has the position `first`.
    at::Tensor turn(const at::Tensor& tokens, std::int64_t first) const;

private:
    struct table {
        at::Tensor cosines, sines; ///< [positions, width]
    };
    /// Of at least that many positions, with device and type of `like`.
    table positions(std::int64_t count, const at::Tensor& like) const;

    std::int64_t width_;
    double theta_;
    mutable std::mutex guard_; ///< Ranks that are threads of a process share a model.
    mutable table known_;
};

} // namespace gaisnet
