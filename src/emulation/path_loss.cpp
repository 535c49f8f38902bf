#include "emulation/path_loss.hpp"

#include "base/registry.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

constexpr double giga = 1e9;

double free_space_db(double distance_m, double frequency_hz) {
    constexpr double at_1m_1ghz = 32.44778322188338; // 20 log10(4 pi / c)
    return at_1m_1ghz + 20.0 * std::log10(distance_m) + 20.0 * std::log10(frequency_hz / giga);
}

/// Of 3GPP's street canyon: beyond the breakpoint the loss grows by 40 dB a decade. Antennas of a base station at 10 m and
/// of a terminal at 1.5 m, each less the 1 m of the effective environment.
double street_canyon_db(double distance_m, double frequency_hz) {
    constexpr double light_m_s = 3e8, base_m = 10.0, terminal_m = 1.5, environment_m = 1.0;
    constexpr double intercept_db = 32.4;
    const double breakpoint_m =
        4.0 * (base_m - environment_m) * (terminal_m - environment_m) * frequency_hz / light_m_s;
    const double by_frequency = 20.0 * std::log10(frequency_hz / giga);
    if (distance_m > breakpoint_m) {
        const double height = base_m - terminal_m;
        return intercept_db + 40.0 * std::log10(distance_m) + by_frequency -
               9.5 * std::log10(breakpoint_m * breakpoint_m + height * height);
    }
    return intercept_db + 21.0 * std::log10(distance_m) + by_frequency;
}

constexpr double beyond = std::numeric_limits<double>::infinity();
constexpr double three_decades = 3.0; // from the formula's km to m

const registration<path_loss_model> registered_free_space{
    {.name = "free_space",
     .source = "Friis: 20 log10(4 pi d f / c)",
     .formula = log_distance_law(free_space_db(1.0, giga), 20.0, 20.0)}};
const registration<path_loss_model> registered_macro{
    {.name = "macro",
     .source = "EURASIP JWCN 2014:55, table 1: 128.1 + 37.6 log10(km), at 2 GHz",
     .shadowing_db = 8.0,
     .shortest_m = 10.0,
     .longest_m = beyond,
     .lowest_hz = 2e9,
     .highest_hz = 2e9,
     .of_one_frequency = true,
     .formula = log_distance_law(128.1 - three_decades * 37.6, 37.6, 0.0)}};
const registration<path_loss_model> registered_pico{
    {.name = "pico",
     .source = "EURASIP JWCN 2014:55, table 1: 140.7 + 36.7 log10(km), at 2 GHz",
     .shadowing_db = 10.0,
     .shortest_m = 10.0,
     .longest_m = beyond,
     .lowest_hz = 2e9,
     .highest_hz = 2e9,
     .of_one_frequency = true,
     .formula = log_distance_law(140.7 - three_decades * 36.7, 36.7, 0.0)}};
const registration<path_loss_model> registered_pedestrian{
    {.name = "pedestrian",
     .source = "ITU-R M.1225 pedestrian at 2 GHz: 148 + 40 log10(km)",
     .shadowing_db = 8.0,
     .shortest_m = 1.0,
     .longest_m = beyond,
     .lowest_hz = 2e9,
     .highest_hz = 2e9,
     .of_one_frequency = true,
     .formula = log_distance_law(148.0 - three_decades * 40.0, 40.0, 0.0)}};
const registration<path_loss_model> registered_umi_los{{.name = "umi_los",
                                                        .source = "3GPP TR 38.901 UMi street canyon, line of sight",
                                                        .shadowing_db = 4.0,
                                                        .shortest_m = 10.0,
                                                        .longest_m = 5000.0,
                                                        .lowest_hz = 0.5e9,
                                                        .highest_hz = 100e9,
                                                        .formula = street_canyon_db}};
const registration<path_loss_model> registered_umi_nlos{
    {.name = "umi_nlos",
     .source = "3GPP TR 38.901 UMi street canyon, no line of sight, receiver at 1.5 m",
     .shadowing_db = 7.82,
     .shortest_m = 10.0,
     .longest_m = 5000.0,
     .lowest_hz = 0.5e9,
     .highest_hz = 100e9,
     .formula = [law = log_distance_law(22.4, 35.3, 21.3)](double distance_m, double frequency_hz) {
         return std::max(law(distance_m, frequency_hz), street_canyon_db(distance_m, frequency_hz));
     }}};
const registration<path_loss_model> registered_inf_los{{.name = "inf_los",
                                                        .source = "3GPP TR 38.901 indoor factory, line of sight",
                                                        .shadowing_db = 4.3,
                                                        .shortest_m = 1.0,
                                                        .longest_m = 600.0,
                                                        .lowest_hz = 0.5e9,
                                                        .highest_hz = 100e9,
                                                        .formula = log_distance_law(31.84, 21.5, 19.0)}};

} // namespace

double path_loss_model::loss_db(double distance_m, double frequency_hz) const {
    const double distance = std::max(distance_m, shortest_m);
    const double loss = formula(distance, frequency_hz);
    return of_one_frequency && lowest_hz > 0.0 ? std::max(loss, free_space_db(distance, lowest_hz)) : loss;
}

std::function<double(double, double)> log_distance_law(double intercept_db, double slope_db, double frequency_db) {
    return [=](double distance_m, double frequency_hz) {
        const double by_frequency = frequency_db == 0.0 ? 0.0 : frequency_db * std::log10(frequency_hz / giga);
        return intercept_db + slope_db * std::log10(distance_m) + by_frequency;
    };
}

} // namespace gaisnet
