#pragma once

#include <cstdint>

namespace gaisnet {

/// The kind of an event. A transfer carries one message; the other kinds occupy a device.
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
    send_request, ///< From a client to its edge: to found its cluster for inference, or to repair it.
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
    std::uint32_t node = 0; ///< Node that computed or sent; index in /topology/nodes.
    std::uint32_t peer = 0; ///< Receiver of a transfer; otherwise equal to node.
    event_kind kind{};
    link_class link{};
    std::uint32_t round = 0; ///< 1-based.
    double start_s = 0;
    double end_s = 0;     ///< When the device or link became free again.
    double arrival_s = 0; ///< end_s plus the link's latency; equal to end_s for device events.
    double flops = 0;
    std::uint64_t bytes = 0;
    double energy_j = 0; ///< At the node and, for a transfer, at all receivers: what their radios drew for it.
    double airtime_hz_s = 0;
    // The members below are for transfers only.
    std::uint32_t receivers = 0; ///< More than one for a multicast; peer is the first receiver.
    std::uint64_t resent = 0;    ///< Lost packets that were sent again.
    double rate_bit_s = 0;       ///< Bytes x 8 / time that the link was occupied.
    double share = 0;            ///< Share of the medium, 0 to 1, averaged over that time.
    double on_air_s = 0;         ///< Time during which the sender's radio sent.
    double loss = 0;             ///< Loss probability of a packet.
    double distance_m = 0;       ///< Between the ends at the start; 0: the rate does not come from a radio model.
    bool cut = false;            ///< Still unfinished when its round was closed.
};

} // namespace gaisnet
