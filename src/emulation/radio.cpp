#include "emulation/radio.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gaisnet {

double to_db(double ratio) { return 10.0 * std::log10(ratio); }
double from_db(double decibel) { return std::pow(10.0, decibel / 10.0); }

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
