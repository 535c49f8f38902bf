#pragma once

#include "emulation/medium.hpp"
#include "network/topology.hpp"

#include <cstdint>
#include <unordered_map>

namespace gaisnet {

/// Links that use one band at the same time: every other sender adds to a receiver's noise. A node's transmissions do
/// not interfere with its own reception.
class interference final : public radio_medium::channel_model {
public:
    /// Both must outlive it. The ledger numbers links like the topology.
    interference(const scenario& scene, const topology& net): scene_(scene), net_(net) {}
    void begin_round(std::uint32_t round);

    double interference_w(const sender& who, std::uint32_t other, double time) override;
    double rate(const sender& who, double power_part, double interference_w, double time) override;
    double next_change(const sender& who, double time) override;

private:
    double received_w(link_class, const radio_settings&, std::uint32_t from, std::uint32_t to, double time);
    /// Number of the position step that contains a time.
    double step_of(double time) const;

    const scenario& scene_;
    const topology& net_;
    std::uint32_t round_ = 0;
    double known_step_ = -1;                          ///< The step of known_.
    std::unordered_map<std::uint64_t, double> known_; ///< Received power (W) by sender and receiver.
};

} // namespace gaisnet
