#pragma once

#include "base/random.hpp"

namespace gaisnet {

constexpr double boltzmann_noise_dbm_hz = -174.0; ///< Thermal noise at room temperature, dBm/Hz.

double to_db(double ratio);
double from_db(double decibel);

/// Block fading: the channel is constant during a round.
enum class fading_kind { none, rayleigh, rician };

/// Power gain of a fading channel, with mean 1: |h|^2, where h is complex normal plus, for rician, a constant part with
/// k_factor times its power.
double draw_fading(random_stream&, fading_kind, double k_factor);

/// Noise power in a band: thermal noise and the receiver's noise figure, W.
double noise_power_w(double bandwidth_hz, double noise_figure_db);

/// R = B log2(1 + S/N), bit/s, at most max_efficiency (bit/s/Hz) x B.
double shannon_rate(double bandwidth_hz, double signal_to_noise, double max_efficiency);

} // namespace gaisnet
