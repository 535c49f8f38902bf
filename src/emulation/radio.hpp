#pragma once

#include "base/random.hpp"

#include <string>
#include <vector>

namespace gaisnet {

constexpr double boltzmann_noise_dbm_hz = -174.0; ///< Thermal noise at room temperature, dBm/Hz.

double to_db(double ratio);
double from_db(double decibel);

/// Path loss over distance, by the formulas that the field uses. Distances below the shortest are taken as the shortest.
struct path_loss_model {
    std::string name;      ///< The word in a scenario.
    std::string source;    ///< Of formula and shadowing.
    double intercept_db;   ///< At 1 m and, where the frequency counts, 1 GHz.
    double slope_db;       ///< A decade of distance.
    double frequency_db;   ///< A decade of frequency; 0: the formula holds for one frequency.
    double shadowing_db;   ///< Standard deviation of log-normal shadowing.
    double shortest_m = 1; ///< Closest distance.

    /// dB. \param distance_m m \param frequency_hz Hz
    double loss_db(double distance_m, double frequency_hz) const;
};

/// All models: free_space, macro, pico, pedestrian, umi_los, umi_nlos, inf_los.
const std::vector<path_loss_model>& path_loss_models();

/// Of a channel that stays the same during a round.
enum class fading_kind { none, rayleigh, rician };

/// Power gain of a fading channel, mean 1: |h|^2 with h a complex normal number and, for rician, a constant part that has
/// k_factor times its power.
double draw_fading(random_stream&, fading_kind, double k_factor);

/// Thermal noise and that of the receiver in a band, W.
double noise_power_w(double bandwidth_hz, double noise_figure_db);

/// R = B log2(1 + S/N), bit/s, at most max_efficiency (bit/s/Hz) x B.
double shannon_rate(double bandwidth_hz, double signal_to_noise, double max_efficiency);

} // namespace gaisnet
