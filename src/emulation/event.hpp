#pragma once

#include <cstdint>

namespace gaisnet {

/// What an event was. Transfers carry one message; the others occupy a device.
enum class event_kind : std::uint8_t {
    sense,
    forward,
    backward,
    step,      ///< Optimiser step.
    aggregate, ///< FedAvg at the edge.
    evaluate,
    send_modules_down, ///< Delivery of tunable modules.
    send_modules_up,   ///< Upload of tunable modules.
    send_forward,      ///< Smashed data: activations.
    send_gradient,     ///< Smashed data: gradients.
    send_label,
    send_result,
    send_samples, ///< Raw samples, of scheme = centralised only.
    send_request, ///< Of a client to its edge: to found its cluster for inference, or to repair it.
    wait,         ///< An edge waits for the deadline of its round.
};
enum class link_class : std::uint8_t { none, cs_up, cs_down, d2d, backhaul };
enum class node_role : std::uint8_t { cloud, edge, client };

constexpr int link_classes = 5;

const char* name_of(event_kind);
const char* name_of(link_class);
const char* name_of(node_role);

/// One event of the ledger.
struct event_row {
    std::uint32_t node = 0; ///< Index in /topology/nodes: who computed or sent.
    std::uint32_t peer = 0; ///< Receiver of a transfer; equal to node otherwise.
    event_kind kind{};
    link_class link{};
    std::uint32_t round = 0; ///< 1-based.
    double start_s = 0;
    double end_s = 0;     ///< End of the occupation of the device or link.
    double arrival_s = 0; ///< end_s plus the link's latency; equal to end_s for device events.
    double flops = 0;
    std::uint64_t bytes = 0;
    double energy_j = 0; ///< At node and, for a transfer, all receivers: what their radios drew for it.
    double airtime_hz_s = 0;
    // Of transfers.
    std::uint32_t receivers = 0; ///< More than one: a multicast, of which peer is the first.
    std::uint64_t resent = 0;    ///< Packets that were lost and sent again.
    double rate_bit_s = 0;       ///< Bytes x 8 over the occupation.
    double share = 0;            ///< Part of the medium that it had, 0 to 1, mean over the occupation.
    double on_air_s = 0;         ///< Time during which its sender's radio sent.
    double loss = 0;             ///< Probability of a packet to be lost.
    double distance_m = 0;       ///< Of the ends when it started; 0: its rate is not by radio.
    bool cut = false;            ///< It was not over when its round was closed.
};

} // namespace gaisnet
