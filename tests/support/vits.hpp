#pragma once

#include "model/vit/vit.hpp"

#include <memory>
#include <string>

namespace gaisnet {

inline model_settings vit_sizes(std::int64_t image, std::int64_t patch, std::int64_t dim, std::int64_t depth,
                                std::int64_t heads, const std::string& preset = "custom") {
    model_settings sizes;
    sizes.preset = preset;
    sizes.image = image;
    sizes.patch = patch;
    sizes.dim = dim;
    sizes.depth = depth;
    sizes.heads = heads;
    return sizes;
}

inline std::shared_ptr<const vit> make_vit(std::int64_t image, std::int64_t patch, std::int64_t dim, std::int64_t depth,
                                           std::int64_t heads, const std::string& preset = "custom") {
    return std::make_shared<const vit>(vit_sizes(image, patch, dim, depth, heads, preset));
}

} // namespace gaisnet
