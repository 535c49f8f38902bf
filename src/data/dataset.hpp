#pragma once

#include "data/image.hpp"
#include "data/labelled_samples.hpp"

namespace gaisnet {

/// Labelled images. All members may be called from several threads.
class dataset : public labelled_samples {
public:
    virtual image load(std::size_t sample) const = 0;
};

} // namespace gaisnet
