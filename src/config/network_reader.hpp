#pragma once

#include "config/value_reader.hpp"
#include "network/scenario.hpp"

#include <map>
#include <string>

namespace gaisnet {

/// A device is described by rate and power, or by kappa, frequency and FLOPs a cycle: true for the latter.
bool by_frequency(const settings&, const std::string& device);
/// Edges, clusters and clients as network.file lists them, as values of those keys.
std::map<std::string, std::string> listed_sizes(const network_overrides&);

/// Who there is: edges, clusters, clients, the edge as a stage.
void read_network(const value_reader&, scenario&);
/// Everything emulated: links, places and movement, devices, when rounds close, drop-outs. Needs train.rounds.
void read_emulation(const value_reader&, scenario&);

} // namespace gaisnet
