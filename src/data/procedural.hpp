#pragma once

#include "data/dataset.hpp"

#include <memory>

namespace gaisnet {

constexpr int procedural_classes = 10; ///< At most

struct procedural_spec {
    int domain = 0;         ///< Any number from 0 on: its style is drawn from it.
    int classes = 6;        ///< 2 to procedural_classes
    std::int64_t size = 32; ///< Side, pixels
    std::int64_t samples = 1200;
    std::uint64_t seed = 1;
};

/// Drawn images, the embedded default. The class is a pattern: level, upright, falling or rising stripes, checks, rings,
/// discs, crosses, zigzags, rays. Its place, phase, scale, both colours and which of them lies on top are random, so that the
/// mean image is the same for every class and a linear classifier on pixels fails; what tells classes apart is local
/// geometry. The domain is a style: the range of colours and scales, how far patterns turn, background gradient,
/// contrast and noise. Sample i of a domain is a pure function of (seed, domain, i); its class is i modulo `classes`.
std::unique_ptr<dataset> make_procedural(const procedural_spec&);

} // namespace gaisnet
