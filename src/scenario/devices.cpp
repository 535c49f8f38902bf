#include "scenario/devices.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>
#include <array>

namespace gaisnet {

namespace {

constexpr std::array clock_parts{".kappa", ".frequency", ".flops_per_cycle"};

/// Whether a device is described by kappa, frequency and FLOPs per cycle instead of rate and power.
bool is_clocked(const settings& values, const std::string& device) {
    return std::any_of(clock_parts.begin(), clock_parts.end(),
                       [&](const char* part) { return !values.at(device + part).value.empty(); });
}

void check_device(const device_settings& its, const value_reader& in) {
    const std::string device = its.defaults->prefix;
    const bool clocked =
        std::any_of(clock_parts.begin(), clock_parts.end(), [&](const char* part) { return in.is_set(device + part); });
    for (const auto* part : {".rate", ".power"}) {
        if (!clocked && !in.is_set(device + part)) {
            in.reject(device + part, "a value is missing");
        }
        if (clocked && in.is_set(device + part) && !in.is_default(device + part)) {
            in.reject(device + part, "it follows from kappa, frequency and flops_per_cycle: give it or them");
        }
    }
    for (const auto* part : clock_parts) {
        if (clocked && !in.is_set(device + part)) {
            in.reject(device + part, "kappa, frequency and flops_per_cycle go together; this one is missing");
        }
    }
}

} // namespace

// Base station: macro cell of Auer et al., "How much energy is needed to run a wireless network?", IEEE Wireless
// Communications 18(5), 2011. Client: 1.14, 0.94 and 0.82 W, the Wi-Fi states of ns-3 and SimGrid.
const device_defaults& cloud_defaults() {
    static const device_defaults its{.prefix = "device.cloud",
                                     .rate = "100 TFLOP/s",
                                     .power = "1 kW",
                                     .radio = {"46 dBm", "0.311", "6.8 W", "6.1 W", "0", true},
                                     .base_power = "100 W",
                                     .memory = "512 GiB",
                                     .looked_at_by = commands::training,
                                     .when = {unless("cloud.period", {"0"})}};
    return its;
}

const device_defaults& edge_defaults() {
    static const device_defaults its{
        "device.edge", "10 TFLOP/s", "300 W", {"46 dBm", "0.311", "6.8 W", "6.1 W", "6.1 W", false}, "50 W", "64 GiB"};
    return its;
}

const device_defaults& client_defaults() {
    static const device_defaults its{.prefix = "device.client",
                                     .rate = "236 GFLOP/s",
                                     .power = "10 W",
                                     .radio = {"23 dBm", "0.35", "0.57 W", "0.94 W", "0.82 W", false},
                                     .base_power = "0",
                                     .memory = "4 GiB",
                                     .may_have_battery = true};
    return its;
}

void resolve_devices(settings& values) {
    for (const auto* of : {&cloud_defaults(), &edge_defaults(), &client_defaults()}) {
        const std::string device = of->prefix;
        for (const auto* part : {".rate", ".power"}) {
            if (is_clocked(values, device) && values.at(device + part).is_default()) {
                values[device + part] = {"", "default", true};
            }
        }
    }
}

void check_devices(const scenario& scene, const value_reader& in) {
    check_device(scene.device.cloud, in);
    check_device(scene.device.edge, in);
    check_device(scene.device.client, in);
}

} // namespace gaisnet
