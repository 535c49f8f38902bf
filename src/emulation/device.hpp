#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace gaisnet {

/// Power that a device's radio draws. The radio is in one state at a time: sending, else receiving, else idle.
struct radio_power {
    double amplifier_efficiency = 1; ///< Radiated power / what the amplifier draws, above 0 and at most 1.
    double circuit_w = 0;            ///< While sending, in addition to the amplifier.
    double receive_w = 0;
    double idle_w = 0;

    /// Power drawn while sending, W. \param radiated_w W
    double send_w(double radiated_w) const { return radiated_w / amplifier_efficiency + circuit_w; }
};

/// A device: how fast it computes, and what computing and its radio cost.
struct device_model {
    double rate_flop_s = 0; ///< Speed in practice, FLOP/s: efficiency x peak.
    double factor = 1;      ///< Speed relative to this computer, for `compute = measured`.
    double power_w = 0;     ///< For computing, in addition to base_power_w; kappa f^3 when given by frequency.
    double tx_power_w = 0;  ///< Radiated power, unless link.*.tx_power overrides it.
    radio_power radio;
    double base_power_w = 0;             ///< Drawn at all times except in sleep.
    std::optional<double> sleep_power_w; ///< Replaces radio and base power after the last work of a round.
    double sense_time_s = 0;             ///< Per sample.
    double sense_energy_j = 0;           ///< Per sample.
    std::uint64_t memory_bytes = 0;
    double battery_j = std::numeric_limits<double>::infinity(); ///< At the start.
};

/// Compute power of a chip with dynamic power kappa f^3: E_compute = kappa f^2 x cycles, cycles = f x time.
/// \param kappa W s^3 \param frequency_hz Hz
constexpr double dynamic_power_w(double kappa, double frequency_hz) {
    return kappa * frequency_hz * frequency_hz * frequency_hz;
}

} // namespace gaisnet
