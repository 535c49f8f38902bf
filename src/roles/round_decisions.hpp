#pragma once

#include "base/bytes.hpp"
#include "base/tensor_view.hpp"
#include "roles/round_plan.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace gaisnet {

/// Something that ranks do together in the tensor pass.
struct decided_exchange {
    channel route;       ///< Of a message that goes from one rank to another ...
    tensor_view shape;   ///< ... and its type and shape.
    int average_of = -1; ///< Otherwise the node (edge or cloud) whose average is summed.
};

void write_exchanges(byte_writer&, const std::vector<decided_exchange>&);
std::vector<decided_exchange> read_exchanges(byte_reader&);

/// What the tensor pass has to obey.
struct round_decisions {
    /// By cluster; those that do not end in time, or are lost, do not play.
    std::vector<cluster_fate> fates;
    bool federates = false;              ///< The round ends with the edges' average at the cloud.
    std::vector<std::uint32_t> averages; ///< Nodes with anything to average, in the order in which that begins.
    /// `clock = real`: when messages arrive and averages are closed, s since the start of their edge's round; the rounds
    /// of all edges begin together.
    std::map<channel, std::vector<double>> arrivals;
    std::map<std::uint32_t, double> closes;
    double latency_s = 0;                    ///< Of the slowest edge's round, with its turns and the federation.
    std::vector<decided_exchange> exchanges; ///< In the order in which ranks begin them (see ledger_run).

    std::vector<round_decisions> turns; ///< What follows in the same round: scheme = sl has a turn for each cluster.

    void write(byte_writer&) const;
    static round_decisions read(byte_reader&);
};

} // namespace gaisnet
