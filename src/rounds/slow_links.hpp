#pragma once

#include "emulation/event.hpp"
#include "roles/deployment.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Radio links that fall below their link.*.min_rate during a run. At the start such a link does not exist; later
/// (movement, fading, divided power) it only becomes slow, which may take hours of emulated time.
class slow_links {
public:
    explicit slow_links(const deployment& deploy): deploy_(deploy) {}
    /// \returns a warning for each class of links that was slow for at least a hundredth of a round's time; at most
    /// three per class over the run.
    std::vector<std::string> find(std::span<const event_row> events);

private:
    const deployment& deploy_;
    std::map<link_class, int> told_;
};

} // namespace gaisnet
