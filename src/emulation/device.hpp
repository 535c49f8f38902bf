#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace gaisnet {

/// What the radio of a device draws. It is in one state at a time: it sends, else it receives, else it is idle.
struct radio_power {
    double amplifier_efficiency = 1; ///< Radiated power / what the amplifier draws, above 0 and at most 1.
    double circuit_w = 0;            ///< While sending, beside the amplifier.
    double receive_w = 0;
    double idle_w = 0;

    /// W drawn while it sends. \param radiated_w W
    double send_w(double radiated_w) const { return radiated_w / amplifier_efficiency + circuit_w; }
};

/// A device: how fast it computes and what that and its radio cost.
struct device_model {
    double rate_flop_s = 0; ///< FLOP/s that it reaches: efficiency x peak.
    double factor = 1;      ///< Times this computer's speed, `compute = measured`.
    double power_w = 0;     ///< For computing, beside base_power_w; kappa f^3 when given by frequency.
    double tx_power_w = 0;  ///< Radiated, where link.*.tx_power says nothing else.
    radio_power radio;
    double base_power_w = 0;             ///< All the time, but for sleep.
    std::optional<double> sleep_power_w; ///< From its last work of a round on, in place of radio and base power.
    double sense_time_s = 0;             ///< A sample
    double sense_energy_j = 0;           ///< A sample
    std::uint64_t memory_bytes = 0;
    double battery_j = std::numeric_limits<double>::infinity(); ///< At the start.
};

/// Compute power of a chip with dynamic power kappa f^3: E_compute = kappa f^2 x cycles, cycles = f x time.
/// \param kappa W s^3 \param frequency_hz Hz
constexpr double dynamic_power_w(double kappa, double frequency_hz) {
    return kappa * frequency_hz * frequency_hz * frequency_hz;
}

} // namespace gaisnet
