#include "emulation/radio.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gaisnet {

double to_db(double ratio) { return 10.0 * std::log10(ratio); }
double from_db(double decibel) { return std::pow(10.0, decibel / 10.0); }

double path_loss_model::loss_db(double distance_m, double frequency_hz) const {
    constexpr double giga = 1e9;
    const double by_frequency = frequency_db == 0.0 ? 0.0 : frequency_db * std::log10(frequency_hz / giga);
    return intercept_db + slope_db * std::log10(std::max(distance_m, shortest_m)) + by_frequency;
}

const std::vector<path_loss_model>& path_loss_models() {
    // Those that are published with distances in km are moved to m: 3 slopes less.
    static const std::vector<path_loss_model> all{
        {"free_space", "Friis: 20 log10(4 pi d f / c)", 32.44778322188338, 20.0, 20.0, 0.0},
        {"macro", "EURASIP JWCN 2014:55, table 1: 128.1 + 37.6 log10(km)", 128.1 - 3 * 37.6, 37.6, 0.0, 8.0, 10.0},
        {"pico", "EURASIP JWCN 2014:55, table 1: 140.7 + 36.7 log10(km)", 140.7 - 3 * 36.7, 36.7, 0.0, 10.0, 10.0},
        {"pedestrian", "ITU-R M.1225 pedestrian at 2 GHz: 148 + 40 log10(km)", 148.0 - 3 * 40.0, 40.0, 0.0, 8.0},
        {"umi_los", "3GPP TR 38.901 UMi street canyon, line of sight", 32.4, 21.0, 20.0, 4.0, 10.0},
        {"umi_nlos", "3GPP TR 38.901 UMi street canyon, no line of sight, receiver at 1.5 m", 22.4, 35.3, 21.3, 7.82,
         10.0},
        {"inf_los", "3GPP TR 38.901 indoor factory, line of sight", 31.84, 21.5, 19.0, 4.3},
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
