#pragma once

// Figures of known devices and radio technologies: device.*.preset and link.*.preset.

#include "settings/values.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// A value that a preset gives a key. The first one that fits a class counts.
struct preset_value {
    const char* key; ///< Without its class: "rate".
    const char* value;
    const char* only_for = ""; ///< The class: "cs_down"; empty: all.
};

/// A device under one name.
struct device_preset {
    const char* name;
    std::vector<preset_value> values;
    const char* source; ///< Where its figures come from; [assumed] marks ours.
};

/// A radio technology, or a cable.
struct link_preset {
    const char* name;
    std::vector<preset_value> values;
    const char* source;
};

/// A line a preset, for the help: its name, values and source.
std::string device_presets_text();
std::string link_presets_text();

/// Sets the keys of [device.*] and [link.*] that are not given to the figures of their presets.
void resolve_presets(settings&);

} // namespace gaisnet
