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

/// A topology in a ledger with a clock of its own: the devices of its nodes, its links and the media that these share.
class emulated_network {
public:
    /// Both must live as long.
    emulated_network(const scenario&, const topology&);
    emulated_network(const emulated_network&) = delete;
    emulated_network& operator=(const emulated_network&) = delete;

    event_queue& queue() { return queue_; }
    const event_queue& queue() const { return queue_; }
    ledger& accounts() { return ledger_; }
    const ledger& accounts() const { return ledger_; }
    const std::vector<std::string>& names() const { return names_; } ///< By node
    /// Channels that fade are other ones in every round (from 1).
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
