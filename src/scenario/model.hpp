#pragma once

// The foundation model: [model].

#include "settings/key.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

class value_reader;
class foundation_model;
struct scenario;

/// A family of foundation models that model.family can name; each registers itself in a folder of src/model.
struct family_entry {
    const char* name;
    std::shared_ptr<const foundation_model> (*make)(const scenario&);
    /// Rejects sizes that do not go together. \throws usage_error
    void (*check)(const scenario&, const value_reader&);
};

/// Sizes under one name, that model.preset can choose.
struct model_preset {
    const char* name;
    std::vector<std::pair<std::string, std::string>> sizes; ///< Values by key.
};

/// Sizes of the model. What a family does not know, it ignores.
struct model_settings {
    static constexpr section key{"model"};
    std::string family = key.named<family_entry>("family", "vit", "family of the foundation model");
    std::string preset = key.named<model_preset>("preset", "custom", "sizes of the foundation model");
    /// Side of the square input, pixels.
    std::int64_t image = size("image", "32", "side of the square input, pixels (custom)", 16384);
    /// Side of a patch, pixels; divides image.
    std::int64_t patch = size("patch", "8", "side of a patch, pixels (custom)", 16384);
    /// Width of a token; divisible by heads.
    std::int64_t dim = size("dim", "64", "width of a token (custom)", 65536);
    std::int64_t depth = size("depth", "4", "Transformer blocks (custom)", 10000);
    std::int64_t heads = size("heads", "4", "attention heads (custom)", 65536);

    std::string weights = key.path("weights", "random", "a safetensors file with timm or Hugging Face names, or random",
                                   "the pre-trained backbone", {.commands = commands::emulating, .identity = false});
    std::string cache =
        key.path("cache", "", "a folder", "folder for converted weights; empty: the user's cache folder",
                 {.commands = commands::emulating, .identity = false});

private:
    static std::int64_t size(const char* name, const char* initial, const char* help, double most) {
        return key.integer(name, initial, help, within(1, most));
    }
};

/// Sets the size keys that are not given to the sizes of the preset.
void resolve_model(settings&);
/// \throws usage_error
void check_model(const scenario&, const value_reader&);

} // namespace gaisnet
