#pragma once

#include "base/distribution.hpp"

#include <string>
#include <string_view>

namespace gaisnet {

/// What a value measures; it fixes the accepted units and the SI unit that parsing returns.
enum class dimension {
    number,         ///< none
    rate,           ///< bit/s
    time,           ///< s
    frequency,      ///< Hz
    compute_rate,   ///< FLOP/s
    power,          ///< W; dBm is accepted
    energy,         ///< J
    size,           ///< B
    length,         ///< m
    speed,          ///< m/s
    decibel,        ///< dB; stays in dB
    energy_per_bit, ///< J/bit
};

/// The accepted units of a dimension, for messages: "bit/s, kbit/s, ...".
std::string accepted_units(dimension);

/// A value such as "50 Mbit/s", "23 dBm" or "5 ms" in SI units. A value without a unit is accepted only for numbers and
/// for 0. \throws usage_error naming text and accepted units; the caller adds key and source.
double parse_quantity(std::string_view text, dimension);

/// A value, `uniform(LOW, HIGH) UNIT`, `choice(A, B, ...) UNIT`, `normal(MEAN, STANDARD DEVIATION) UNIT`, or
/// `file(PATH) UNIT`, numbers of which one is drawn. \throws usage_error
distribution parse_distribution(std::string_view text, dimension);

} // namespace gaisnet
