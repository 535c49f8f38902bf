#pragma once

#include "emulation/radio_medium.hpp"
#include "network/topology.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
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
    double range() const override { return scene_.link.d2d.interference_range_m; } // no other class reuses its band
    position place_of(std::uint32_t node, double time) override;
    position place_of_receiver(const sender& who, double time) override;

private:
    double received_w(link_class, const radio_settings&, std::uint32_t from, std::uint32_t to, double time);
    /// That of radio_map, or 0 where nothing moves.
    double step_of(double time) const;

    const scenario& scene_;
    const topology& net_;
    std::uint32_t round_ = 0;
    double known_step_ = -1;                          ///< The step of known_.
    std::unordered_map<std::uint64_t, double> known_; ///< Received power (W) by sender and receiver.
};

/// By how much link.d2d.interference_range makes rates too high, as parts of them: the largest of the links looked at, at the
/// first positions and with the fading of the first round.
struct range_error {
    double all_send = 0; ///< While all nodes send.
    /// Whatever sends. With S the least signal of a link (all of its sender's links send), F the sum of all powers out of range,
    /// and x the noise, or what lowers the rate to max_efficiency: log(1 + S / x) / log(1 + S / (x + F)) - 1. Interference
    /// within the range or a larger signal makes this ratio smaller.
    double bound = 0;
    std::size_t looked_at = 0, links = 0; ///< Of large networks, some that are drawn.
};
/// Nothing when the settings leave no power out.
std::optional<range_error> error_of_range(const scenario&, const topology&);

} // namespace gaisnet
