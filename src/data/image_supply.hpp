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

/// An image as a start point of some quality senses it.
struct sensed_image {
    const dataset* data;
    std::size_t sample;
    double blur, noise; ///< As in sample_quality
    auto operator<=>(const sensed_image&) const = default;
};

/// Where a rank's images come from: threads that decode, and memory that keeps what they made, so that an image is
/// decoded once and not in every epoch. Nothing that was kept is let go: what no longer fits is decoded each time, which
/// for images that are asked for in turn is the best there is.
class image_supply {
public:
    /// \param memory_bytes of kept images at most. The datasets must outlive the supply.
    image_supply(std::size_t threads, std::uint64_t memory_bytes): room_(memory_bytes), pool(threads) {}

    /// The image as a start point of that quality senses it (degrade()). May be called from several threads.
    /// \param keep false: the caller keeps it. \throws decode_error
    std::shared_ptr<const image> sensed(const dataset&, std::size_t sample, const sample_quality&, std::uint64_t seed,
                                        bool keep = true);

    std::uint64_t kept_bytes() const;

private:
    mutable std::mutex guard_;
    std::map<sensed_image, std::shared_ptr<const image>> kept_;
    std::uint64_t room_, used_ = 0;

public:
    decode_pool pool; ///< Ends before what its jobs use.
};

/// Memory that this process may still take without swapping, as Linux tells it: what is free or can be freed, within
/// the limit of its control group. 0: not known.
std::uint64_t available_memory();

} // namespace gaisnet
