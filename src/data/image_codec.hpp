#pragma once

#include "data/image.hpp"

#include <filesystem>
#include <stdexcept>

namespace gaisnet {

/// The file is not an image, is damaged or is truncated; the message names the file and the reason.
class decode_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Decodes a JPEG (libjpeg-turbo; grey, YCbCr, CMYK, YCCK) or PNG (libpng; every colour type, 1 to 16 bits a channel);
/// the first bytes decide, not the name. CMYK becomes RGB by (1 - ink)(1 - black), without a colour profile.
/// Transparent pixels are blended with white in linear light; a PNG with its own gamma is converted to sRGB. Warnings
/// that mean lost or garbled data count as damage, and so do images of more than 2^28 pixels. \throws decode_error
image decode_image(const std::filesystem::path& path);

/// For debugging. \throws runtime_failure
void write_png(const std::filesystem::path& path, const image&);

} // namespace gaisnet
