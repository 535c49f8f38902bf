#pragma once

#include "data/labelled_samples.hpp"

namespace gaisnet {

/// Labelled texts. All members may be called from several threads.
class text_dataset : public labelled_samples {
public:
    /// UTF-8; lines end with a line feed.
    virtual std::string text(std::size_t sample) const = 0;
};

} // namespace gaisnet
