#pragma once

#include "data/image.hpp"

#include <filesystem>
#include <stdexcept>

namespace gaisnet {

/// The file is no image, is damaged or is cut off; the message names it and the reason.
class decode_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Decodes a JPEG (libjpeg-turbo; grey, YCbCr, CMYK) or PNG (libpng; every colour type; transparency over white), told
/// apart by their first bytes. Warnings that mean lost data count as damage. \throws decode_error
image decode_image(const std::filesystem::path& path);

/// \throws runtime_failure
void write_png(const std::filesystem::path& path, const image&);

} // namespace gaisnet
