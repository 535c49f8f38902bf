#pragma once

#include "data/image_folder.hpp"
#include "network/scenario.hpp"
#include "session.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

/// Every rank has to call it: each decodes its share, and all leave out the same damaged samples.
/// \param root as the user gave it, for messages. \returns what distinguishes the images from others.
/// \throws usage_error when there are damaged ones and data.damaged = fatal.
std::uint64_t check_images(image_folder&, const std::string& root, const scenario&, session&);

} // namespace gaisnet
