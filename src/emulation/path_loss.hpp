#pragma once

#include <functional>
#include <limits>
#include <string>

namespace gaisnet {

/// Path loss over distance by a formula that the field uses. A file adds one with a constant of its own:
///
///     const registration<path_loss_model> registered_tunnel{{.name = "tunnel", ..., .formula = ...}};
///
/// Distances below the shortest are taken as the shortest. A formula of one frequency never gives less than free space at
/// that frequency.
struct path_loss_model {
    std::string name;        ///< Its name in a scenario.
    std::string source;      ///< Reference for formula, range and shadowing.
    double shadowing_db = 0; ///< Standard deviation of log-normal shadowing.
    double shortest_m = 1, longest_m = std::numeric_limits<double>::infinity(); ///< Distances that the source covers.
    double lowest_hz = 0, highest_hz = std::numeric_limits<double>::infinity(); ///< Frequencies, likewise.
    bool of_one_frequency = false; ///< The formula holds for lowest_hz alone; 0: the source does not say which.
    /// dB at a distance (m) and a frequency (Hz).
    std::function<double(double distance_m, double frequency_hz)> formula;

    /// Path loss, dB. \param distance_m m \param frequency_hz Hz
    double loss_db(double distance_m, double frequency_hz) const;
};

/// intercept_db + slope_db log10(m) + frequency_db log10(GHz): the intercept is the loss at 1 m and, where the frequency
/// counts, 1 GHz.
std::function<double(double, double)> log_distance_law(double intercept_db, double slope_db, double frequency_db);

} // namespace gaisnet
