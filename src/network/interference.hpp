#pragma once

#include "emulation/medium.hpp"
#include "network/topology.hpp"

#include <cstdint>
#include <unordered_map>

namespace gaisnet {

/// Rates of links that use one band at the same time: every other sender adds to a receiver's noise. What a node sends
/// does not disturb its own receiver.
class interference {
public:
    /// Both outlive it. \param links as the ledger numbers them.
    interference(const scenario& scene, const topology& net): scene_(scene), net_(net) {}
    void begin_round(std::uint32_t round);
    /// bit/s of `who` while all of `sending` send.
    double rate(const sender& who, const reused_medium::senders& sending, double time);

private:
    double received_w(link_class, const radio_settings&, std::uint32_t from, std::uint32_t to, double time);

    const scenario& scene_;
    const topology& net_;
    std::uint32_t round_ = 0;
    double step_ = -1;                                ///< Of the positions that the known values belong to.
    std::unordered_map<std::uint64_t, double> known_; ///< W by sender and receiver.
};

} // namespace gaisnet
