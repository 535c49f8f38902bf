#pragma once

#include "data/image_folder.hpp"
#include "data/image_supply.hpp"
#include "experiment/session.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gaisnet {

/// Number of this rank's decoding threads: data.threads, or its share of the host's cores.
std::size_t decode_threads(const scenario&, const session&);
/// An image supply as configured by data.threads and data.cache.
std::unique_ptr<image_supply> make_supply(const scenario&, const session&);

/// Checks a folder; every rank decodes its share, and all ranks drop the same damaged samples. Every rank has to call
/// it. \returns a hash that identifies the images. \throws usage_error when images are damaged and data.damaged =
/// fatal.
std::uint64_t check_images(image_folder&, const scenario&, session&);

} // namespace gaisnet
