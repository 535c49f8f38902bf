#pragma once

#include "emulation/ledger.hpp"
#include "network/interference.hpp"
#include "network/topology.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A topology in a ledger with its own clock: devices of nodes, links, and the media that links share.
class emulated_network {
public:
    /// Both must outlive it.
    emulated_network(const scenario&, const topology&);
    emulated_network(const emulated_network&) = delete;
    emulated_network& operator=(const emulated_network&) = delete;

    event_queue& queue() { return queue_; }
    const event_queue& queue() const { return queue_; }
    ledger& accounts() { return ledger_; }
    const ledger& accounts() const { return ledger_; }
    const std::vector<std::string>& names() const { return names_; } ///< Indexed by node.
    /// Draws the fading channels of a round (from 1).
    void draw_channels(std::uint32_t round);

private:
    void add_links();

    const scenario& scene_;
    const topology& net_;
    std::vector<std::string> names_;
    event_queue queue_;
    ledger ledger_;
    interference interference_;
    own_bands own_bands_;
};

} // namespace gaisnet
