#pragma once

#include "results/rows.hpp"

#include <optional>
#include <span>
#include <string>

namespace gaisnet {

/// Round by round what each policy did and earned, its cash at the end, and its regret: by how much an oracle ends
/// higher. \param oracle its cash; absent: not known. \param comparable what the decisions earn by the figures that the
/// oracle goes by; absent: the rows' cash.
std::string report(std::span<const service_row>, double start_cash, std::optional<double> oracle,
                   std::optional<double> comparable = std::nullopt);

} // namespace gaisnet
