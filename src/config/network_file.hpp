#pragma once

#include "network/scenario.hpp"
#include "network/topology.hpp"

#include <string>

namespace gaisnet {

/// Reads single nodes, links and clusters, each part optional:
///
///     {"clusters": [{"edge": "edge0", "clients": ["a", "b"]}],
///      "nodes": [{"name": "a", "position": ["10 m", "0 m"], "rate": "1 TFLOP/s", ...}],
///      "links": [{"from": "a", "to": "b", "rate": "50 Mbit/s", "latency": "2 ms", "bandwidth": "5 MHz", "loss": "0.01"}]}
///
/// A node may have rate, power, tx_power, rx_power, idle_power, sleep_power, memory and battery. As CSV the same stands
/// in lines: `cluster, EDGE, CLIENT, CLIENT, ...`, `node, NAME, KEY = VALUE, ...`, `link, FROM, TO, KEY = VALUE, ...`,
/// with x and y in place of position. Whatever is not said is drawn as without the file.
/// \throws usage_error naming the place and what is accepted.
network_overrides read_network_file(const std::string& path);

/// The network of a topology in the same form (JSON), every value written so that it is read back exactly. Rates of
/// radio links and traces are left out, since they change over time.
std::string network_file_text(const topology&);

} // namespace gaisnet
