#pragma once

namespace gaisnet {

/// A position in a plane, m.
struct position {
    double x = 0, y = 0;
};

} // namespace gaisnet
