#pragma once

#include "data/dataset.hpp"
#include "data/decode_pool.hpp"
#include "data/quality.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace gaisnet {

/// Identifies an image as a start point of some quality senses it.
struct sensed_image {
    const dataset* data;
    std::size_t sample;
    double blur, noise; ///< As in sample_quality
    auto operator<=>(const sensed_image&) const = default;
};

/// Decodes a rank's images on several threads and caches the results, so that an image is decoded once and not in every
/// epoch. Cached images are never evicted: images that no longer fit are decoded each time. For cyclic access this is
/// the best policy.
class image_supply {
public:
    /// \param memory_bytes limit of the cache. The datasets must outlive the supply.
    image_supply(std::size_t threads, std::uint64_t memory_bytes): room_(memory_bytes), pool(threads) {}

    /// The image as a start point of that quality senses it (degrade()). Thread safe. \param keep false: do not cache
    /// it, because the caller keeps it. \throws decode_error
    std::shared_ptr<const image> sensed(const dataset&, std::size_t sample, const sample_quality&, std::uint64_t seed,
                                        bool keep = true);

    std::uint64_t kept_bytes() const;

private:
    mutable std::mutex guard_;
    std::map<sensed_image, std::shared_ptr<const image>> kept_;
    std::uint64_t room_, used_ = 0;

public:
    decode_pool pool; ///< Last member: it ends before what its jobs use.
};

/// Memory that this process may still use without swapping: the free and reclaimable memory that Linux reports, within
/// the limit of the control group. 0: unknown.
std::uint64_t available_memory();

} // namespace gaisnet
