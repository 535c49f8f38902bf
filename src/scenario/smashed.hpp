#pragma once

// In which form smashed data travels: [smashed].

#include "settings/key.hpp"

#include <memory>
#include <string>

namespace gaisnet {

struct scenario;
class smashed_codec;

/// A codec that smashed.codec can name; each registers itself in a file of src/model/codec.
struct codec_entry {
    const char* name;
    /// \throws usage_error for a setting that does not fit.
    std::shared_ptr<const smashed_codec> (*make)(const scenario&);
};

struct smashed_settings {
    static constexpr section key{"smashed", commands::emulating};
    std::string codec = key.named<codec_entry>("codec", "identity",
                                               "form in which smashed data and its gradients are sent and charged");
};

} // namespace gaisnet
