#pragma once

#include "emulation/event.hpp"
#include "roles/deployment.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Radio links that carry less than their link.*.min_rate in the course of a run: at its start such a link does not
/// exist, later (movement, fading, a divided power) it only becomes slow, which may take hours of emulated time.
class slow_links {
public:
    explicit slow_links(const deployment& deploy): deploy_(deploy) {}
    /// \returns a warning for each class of links whose slowness took some of a round's time, a hundredth or more; three
    /// for a class in all.
    std::vector<std::string> find(std::span<const event_row> events);

private:
    const deployment& deploy_;
    std::map<link_class, int> told_;
};

} // namespace gaisnet
