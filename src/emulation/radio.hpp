#pragma once

#include "base/random.hpp"

#include <limits>
#include <string>
#include <vector>

namespace gaisnet {

constexpr double boltzmann_noise_dbm_hz = -174.0; ///< Thermal noise at room temperature, dBm/Hz.

double to_db(double ratio);
double from_db(double decibel);

/// Path loss over distance, by the formulas that the field uses. Distances below the shortest are taken as the shortest.
/// A formula of one frequency never gives less than free space at that frequency.
struct path_loss_model {
    std::string name;        ///< The word in a scenario.
    std::string source;      ///< Of formula, range and shadowing.
    double intercept_db = 0; ///< At 1 m and, where the frequency counts, 1 GHz.
    double slope_db = 0;     ///< A decade of distance.
    double frequency_db = 0; ///< A decade of frequency; 0: the formula holds for one frequency.
    double shadowing_db = 0; ///< Standard deviation of log-normal shadowing.
    double shortest_m = 1, longest_m = std::numeric_limits<double>::infinity(); ///< Distances that the source is for.
    double lowest_hz = 0, highest_hz = std::numeric_limits<double>::infinity(); ///< Likewise.
    /// Of 3GPP's street canyon: from the breakpoint on the loss grows by 40 dB a decade.
    bool breakpoint = false;
    /// The loss is at least that of another model.
    const char* at_least = nullptr;

    /// dB. \param distance_m m \param frequency_hz Hz
    double loss_db(double distance_m, double frequency_hz) const;
    /// The formula holds for one frequency, which is lowest_hz; 0: not said.
    bool of_one_frequency() const { return frequency_db == 0.0; }
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
