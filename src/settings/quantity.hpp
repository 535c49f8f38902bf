#pragma once

#include "base/distribution.hpp"

#include <string>
#include <string_view>

namespace gaisnet {

/// The physical dimension of a value; it determines the accepted units and the SI unit of the result.
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

/// Parses a value such as "50 Mbit/s", "23 dBm" or "5 ms" to SI units. Only numbers and 0 may lack a unit. \throws
/// usage_error naming the text and the accepted units; the caller adds key and source.
double parse_quantity(std::string_view text, dimension);

/// Parses a value, `uniform(LOW, HIGH) UNIT`, `choice(A, B, ...) UNIT`, `normal(MEAN, STANDARD DEVIATION) UNIT`, or
/// `file(PATH) UNIT`, which draws one of the numbers in a file. \throws usage_error
distribution parse_distribution(std::string_view text, dimension);

} // namespace gaisnet
