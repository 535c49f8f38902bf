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

/// Threads of this rank that decode images: data.threads, or its share of the host's cores.
std::size_t decode_threads(const scenario&, const session&);
/// As data.threads and data.cache say.
std::unique_ptr<image_supply> make_supply(const scenario&, const session&);

/// Every rank has to call it: each decodes its share, and all leave out the same damaged samples.
/// \returns what distinguishes the images from others.
/// \throws usage_error when there are damaged ones and data.damaged = fatal.
std::uint64_t check_images(image_folder&, const scenario&, session&);

} // namespace gaisnet
