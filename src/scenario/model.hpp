#pragma once

// The foundation model: [model].

#include "settings/key.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// Dimensions of a Vision Transformer (Dosovitskiy et al., ICLR 2021) in timm's conventions: pre-norm, exact GELU,
/// LayerNorm eps 1e-6, qkv bias, MLP ratio 4, CLS token.
struct vit_config {
    static constexpr section key{"model"};
    std::string preset = choose_preset();
    /// Side of the square input, pixels.
    std::int64_t image = size("image", "32", "side of the square input, pixels (custom)", 16384);
    /// Side of a patch, pixels; divides image.
    std::int64_t patch = size("patch", "8", "side of a patch, pixels (custom)", 16384);
    /// Width of a token; divisible by heads.
    std::int64_t dim = size("dim", "64", "width of a token (custom)", 65536);
    std::int64_t depth = size("depth", "4", "Transformer blocks (custom)", 10000);
    std::int64_t heads = size("heads", "4", "attention heads (custom)", 65536);
    std::int64_t mlp_ratio = 4;

    std::int64_t patches() const { return (image / patch) * (image / patch); }
    std::int64_t tokens() const { return 1 + patches(); } ///< CLS and patches.

    /// The sizes as values of their keys.
    std::vector<std::pair<std::string, std::int64_t>> sizes() const;
    /// The named presets: vit_tiny, vit_small, vit_base.
    static const std::vector<vit_config>& presets();

private:
    static std::string choose_preset();
    static std::int64_t size(const char* name, const char* initial, const char* help, double most) {
        return key.integer(name, initial, help, within(1, most));
    }
};

struct model_settings {
    static constexpr section key{"model"};
    vit_config vit;
    std::string weights = key.path("weights", "random", "a safetensors file with timm or Hugging Face names, or random",
                                   "the pre-trained backbone", {.commands = commands::emulating, .identity = false});
    std::string cache =
        key.path("cache", "", "a folder", "folder for converted weights; empty: the user's cache folder",
                 {.commands = commands::emulating, .identity = false});
};

/// Sets the size keys that are not given to the sizes of the preset.
void resolve_model(settings&);
/// \throws usage_error
void check_model(const scenario&, const value_reader&);

} // namespace gaisnet
