#include "emulation/radio.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gaisnet {

double to_db(double ratio) { return 10.0 * std::log10(ratio); }
double from_db(double decibel) { return std::pow(10.0, decibel / 10.0); }

namespace {

constexpr double giga = 1e9;

double free_space_db(double distance_m, double frequency_hz) {
    constexpr double at_1m_1ghz = 32.44778322188338; // 20 log10(4 pi / c)
    return at_1m_1ghz + 20.0 * std::log10(distance_m) + 20.0 * std::log10(frequency_hz / giga);
}

const path_loss_model& path_loss_named(const std::string& name) {
    const auto& all = path_loss_models();
    return *std::find_if(all.begin(), all.end(), [&](const path_loss_model& one) { return one.name == name; });
}

} // namespace

double path_loss_model::loss_db(double distance_m, double frequency_hz) const {
    const double distance = std::max(distance_m, shortest_m);
    const double by_frequency = of_one_frequency() ? 0.0 : frequency_db * std::log10(frequency_hz / giga);
    double loss = intercept_db + slope_db * std::log10(distance) + by_frequency;
    if (breakpoint) {
        // Antennas of a base station at 10 m and of a terminal at 1.5 m, each less the 1 m of the effective environment.
        constexpr double light_m_s = 3e8, base_m = 10.0, terminal_m = 1.5, environment_m = 1.0;
        const double at = 4.0 * (base_m - environment_m) * (terminal_m - environment_m) * frequency_hz / light_m_s;
        if (distance > at) {
            const double height = base_m - terminal_m;
            loss =
                intercept_db + 40.0 * std::log10(distance) + by_frequency - 9.5 * std::log10(at * at + height * height);
        }
    }
    if (of_one_frequency() && lowest_hz > 0.0) {
        loss = std::max(loss, free_space_db(distance, lowest_hz));
    }
    return at_least ? std::max(loss, path_loss_named(at_least).loss_db(distance, frequency_hz)) : loss;
}

const std::vector<path_loss_model>& path_loss_models() {
    constexpr double any = std::numeric_limits<double>::infinity();
    // Those that are published with distances in km are moved to m: 3 slopes less.
    static const std::vector<path_loss_model> all{
        {"free_space", "Friis: 20 log10(4 pi d f / c)", free_space_db(1.0, giga), 20.0, 20.0, 0.0},
        {"macro", "EURASIP JWCN 2014:55, table 1: 128.1 + 37.6 log10(km), at 2 GHz", 128.1 - 3 * 37.6, 37.6, 0.0, 8.0,
         10.0, any, 2e9, 2e9},
        {"pico", "EURASIP JWCN 2014:55, table 1: 140.7 + 36.7 log10(km), at 2 GHz", 140.7 - 3 * 36.7, 36.7, 0.0, 10.0,
         10.0, any, 2e9, 2e9},
        {"pedestrian", "ITU-R M.1225 pedestrian at 2 GHz: 148 + 40 log10(km)", 148.0 - 3 * 40.0, 40.0, 0.0, 8.0, 1.0,
         any, 2e9, 2e9},
        {"umi_los", "3GPP TR 38.901 UMi street canyon, line of sight", 32.4, 21.0, 20.0, 4.0, 10.0, 5000.0, 0.5e9,
         100e9, true},
        {"umi_nlos", "3GPP TR 38.901 UMi street canyon, no line of sight, receiver at 1.5 m", 22.4, 35.3, 21.3, 7.82,
         10.0, 5000.0, 0.5e9, 100e9, false, "umi_los"},
        {"inf_los", "3GPP TR 38.901 indoor factory, line of sight", 31.84, 21.5, 19.0, 4.3, 1.0, 600.0, 0.5e9, 100e9},
    };
    return all;
}

double draw_fading(random_stream& stream, fading_kind kind, double k_factor) {
    if (kind == fading_kind::none) {
        return 1.0;
    }
    const double k = kind == fading_kind::rician ? k_factor : 0.0;
    const double scattered = std::sqrt(0.5 / (k + 1.0));
    const double real = std::sqrt(k / (k + 1.0)) + scattered * stream.normal(), imaginary = scattered * stream.normal();
    return real * real + imaginary * imaginary;
}

double noise_power_w(double bandwidth_hz, double noise_figure_db) {
    constexpr double milli = 1e-3;
    return milli * from_db(boltzmann_noise_dbm_hz + noise_figure_db) * bandwidth_hz;
}

double shannon_rate(double bandwidth_hz, double signal_to_noise, double max_efficiency) {
    return bandwidth_hz * std::min(max_efficiency, std::log1p(signal_to_noise) / std::numbers::ln2);
}

} // namespace gaisnet
