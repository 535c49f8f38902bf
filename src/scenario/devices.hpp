#pragma once

// Devices of the cloud, edges and clients: [device.*].

#include "scenario/presets.hpp"
#include "settings/key.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// Defaults that differ between the classes of devices.
struct device_defaults {
    const char* prefix; ///< "device.client"
    const char *rate, *power;
    struct {
        const char *tx, *efficiency, *circuit, *rx, *idle;
        bool is_assumed;
    } radio;
    const char *base_power, *memory;
    command_set looked_at_by = commands::emulating;
    std::vector<condition> when{};
    bool may_have_battery = false;

    gaisnet::section section() const { return gaisnet::section(prefix, looked_at_by, &when); }
    initial_value of_radio(const char* figure) const {
        return radio.is_assumed ? assumed(figure) : initial_value(figure);
    }
};
const device_defaults& cloud_defaults();
const device_defaults& edge_defaults();
const device_defaults& client_defaults();

/// One class of devices: every node of the class draws its values from these distributions.
struct device_settings {
    explicit device_settings(const device_defaults& of = client_defaults()): key(of.section()), defaults(&of) {}

    section key;
    const device_defaults* defaults;
    /// Of a device_preset; it sets the other keys.
    std::string preset = key.named<device_preset>(
        "preset", "custom",
        "a known device, whose figures the keys below have unless they are set; --help with this key lists them",
        {.identity = false, .details = device_presets_text()});
    /// Peak speed, FLOP/s, or frequency x flops_per_cycle.
    distribution rate =
        key.drawn_if_set("rate", dimension::compute_rate, assumed(defaults->rate), "speed of computing", above(0))
            .value_or(distribution{});
    /// Fraction of the peak that is reached.
    distribution efficiency = key.drawn("efficiency", dimension::number, assumed("1"),
                                        "part of the rate that is reached, at most 1", part("of the peak, "));
    /// Speed relative to this computer (compute = measured).
    distribution factor = key.drawn("factor", dimension::number, assumed("1"),
                                    "times this computer's speed (compute = measured)", above(0));
    /// W while computing
    distribution power = key.drawn_if_set("power", dimension::power, assumed(defaults->power),
                                          "power for computing, beside base_power", at_least(0))
                             .value_or(distribution{});
    /// W s^3
    std::optional<double> kappa = key.real_if_set(
        "kappa", "W s^3; with frequency and flops_per_cycle: E = kappa f^2 x cycles in place of power", above(0));
    /// Hz
    std::optional<distribution> frequency =
        key.drawn_if_set("frequency", dimension::frequency, "", "clock, with kappa", above(0));
    double flops_per_cycle =
        key.real_if_set("flops_per_cycle", "FLOPs a cycle, with frequency", above(0)).value_or(0.0);
    /// Radiated power, W
    distribution tx_power = key.drawn("tx_power", dimension::power, defaults->of_radio(defaults->radio.tx),
                                      "radiated power, unless link.*.tx_power is set", at_least(0));
    distribution amplifier_efficiency =
        key.drawn("amplifier_efficiency", dimension::number, defaults->of_radio(defaults->radio.efficiency),
                  "radiated power / what the amplifier draws", part(""));
    /// W while sending, in addition to the amplifier
    distribution circuit_power =
        key.drawn("circuit_power", dimension::power, defaults->of_radio(defaults->radio.circuit),
                  "of the radio while sending, beside the amplifier", at_least(0));
    /// W of the radio while receiving
    distribution rx_power = key.drawn("rx_power", dimension::power, defaults->of_radio(defaults->radio.rx),
                                      "of the radio while it receives and does not send", at_least(0));
    /// W of the radio while it neither sends nor receives
    distribution idle_power = key.drawn("idle_power", dimension::power, defaults->of_radio(defaults->radio.idle),
                                        "of the radio while it does neither", at_least(0));
    /// W at all times except in sleep
    distribution base_power = key.drawn("base_power", dimension::power, assumed(defaults->base_power),
                                        "of the whole device all the time, but for sleep", at_least(0));
    /// W
    std::optional<distribution> sleep_power = key.drawn_if_set(
        "sleep_power", dimension::power, "",
        "of the whole device from its last work of a round on; not set: it does not sleep", at_least(0));
    /// B
    distribution memory = key.drawn("memory", dimension::size, assumed(defaults->memory), "memory",
                                    above_to(0, 1e18, "above 0 and up to 1e18 B"));
    /// J; absent: mains.
    std::optional<distribution> battery =
        defaults->may_have_battery
            ? key.drawn_if_set("battery", dimension::energy, "", "battery at the start; not set: mains", above(0))
            : std::nullopt;

private:
    static range part(const std::string& what) {
        return {.least = 0,
                .most = 1,
                .above_least = true,
                .without_tails = true,
                .words = "a part " + what + "above 0 and at most 1"};
    }
};

struct all_device_settings {
    device_settings cloud{cloud_defaults()}, edge{edge_defaults()}, client{client_defaults()};
};

/// Clears rate and power where a clock is given and they are not.
void resolve_devices(settings&);
/// \throws usage_error
void check_devices(const scenario&, const value_reader&);

} // namespace gaisnet
