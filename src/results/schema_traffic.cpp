#include "results/schema.hpp"
#include "results/schema_columns.hpp"

#include <string_view>
#include <vector>

namespace gaisnet {

std::vector<column<communication_row>> communication_columns() {
    using row = communication_row;
    return {
        number_column<row>("round", "1", "Round, counted from 1", &row::round),
        text_column<row>("link", word_bytes, "Class: cs_up (client to edge), cs_down (edge to client), d2d, backhaul",
                         [](const row& r) { return std::string_view(name_of(r.link)); }),
        text_column<row>("cause", word_bytes,
                         "What was sent: send_modules_down, send_modules_up (tunable modules), send_forward "
                         "(activations), send_gradient, send_label, send_result, send_samples, send_request",
                         [](const row& r) { return std::string_view(name_of(r.cause)); }),
        number_column<row>("messages", "1", "Messages", &row::messages),
        number_column<row>("bytes", "B", "Bytes", &row::bytes),
        number_column<row>("occupied_s", "s", "Time that links were occupied, summed over links", &row::occupied_s),
        number_column<row>("airtime_hz_s", "Hz s", "Spectrum use: bandwidth times time", &row::airtime_hz_s),
        number_column<row>("energy_j", "J", "Sending and receiving, at both ends", &row::energy_j),
        number_column<row>("resent", "1", "Packets that were lost and sent again", &row::resent),
        number_column<row>("rate_bit_s", "bit/s", "Bytes over occupied_s", [](const row& r) { return r.rate_bit_s(); }),
        number_column<row>("share", "1", "Part of the medium that a transfer had, mean over occupied_s",
                           [](const row& r) { return r.share(); }),
    };
}

std::vector<column<transport_row>> transport_columns() {
    using row = transport_row;
    return {
        number_column<row>("round", "1", "Round, counted from 1", &row::round),
        text_column<row>("transport", word_bytes, "loopback (inside one process), mpi or nccl", &row::transport),
        number_column<row>("messages", "1", "Messages", &row::messages),
        number_column<row>("bytes", "B", "Bytes of tensors, without envelopes", &row::bytes),
    };
}

std::vector<column<event_row>> event_columns() {
    using row = event_row;
    return {
        number_column<row>("node", "1", "Index of the node that computed or sent: its row in /topology/nodes",
                           &row::node),
        number_column<row>("peer", "1", "Index of the node that received; equal to node for a computation", &row::peer),
        text_column<row>("kind", word_bytes,
                         "On a device: sense, forward, backward, step (optimiser), aggregate (FedAvg), evaluate, wait "
                         "(an edge for its deadline); on a "
                         "link: send_modules_down, send_modules_up, send_forward (activations), send_gradient, "
                         "send_label, send_result, send_samples, send_request (of a client to its edge)",
                         [](const row& r) { return std::string_view(name_of(r.kind)); }),
        text_column<row>("link", 8, "Class of the link: cs_up, cs_down, d2d, backhaul; none for a computation",
                         [](const row& r) { return std::string_view(name_of(r.link)); }),
        number_column<row>("round", "1", "Round, counted from 1", &row::round),
        number_column<row>("start_s", "s", "Emulated time at which the device or link was occupied", &row::start_s),
        number_column<row>("end_s", "s", "Emulated time at which it was free again", &row::end_s),
        number_column<row>("arrival_s", "s", "end_s plus the latency of the link", &row::arrival_s),
        number_column<row>("flops", "FLOP", "Computed; 0 for a transfer", &row::flops),
        number_column<row>("bytes", "B", "Sent; 0 for a computation", &row::bytes),
        number_column<row>(
            "energy_j", "J",
            "Energy, for a transfer at both ends: its part of what a radio draws that does several at once",
            &row::energy_j),
        number_column<row>("airtime_hz_s", "Hz s", "Spectrum use of a transfer: bandwidth times share of it times time",
                           &row::airtime_hz_s),
        number_column<row>("rate_bit_s", "bit/s", "Of a transfer: its bytes over the time of its occupation",
                           &row::rate_bit_s),
        number_column<row>("share", "1", "Of a transfer: part of its medium that it had, mean over the occupation",
                           &row::share),
        number_column<row>(
            "on_air_s", "s",
            "Of a transfer: time during which its sender's radio sent; not while other links had their turn, nor "
            "in outages",
            &row::on_air_s),
        number_column<row>("loss", "1", "Of a transfer: probability of a packet to be lost", &row::loss),
        number_column<row>("resent", "1", "Packets of a transfer that were lost and sent again", &row::resent),
        number_column<row>("distance_m", "m",
                           "Of a transfer: distance of its ends when it started; 0: its rate is not by radio",
                           &row::distance_m),
        number_column<row>("cut", "1", "1: it was not over when its round was closed, and is charged up to then",
                           [](const row& r) { return std::uint32_t{r.cut}; }),
        number_column<row>("receivers", "1",
                           "Receivers of a transfer; of more than one (a multicast), peer is the first",
                           &row::receivers),
    };
}

std::vector<column<fidelity_row>> fidelity_columns() {
    using row = fidelity_row;
    return {
        number_column<row>("round", "1", "Round, counted from 1", &row::round),
        number_column<row>("from", "1", "Index of the sending node", &row::from),
        number_column<row>("to", "1", "Index of the receiving node", &row::to),
        text_column<row>("kind", word_bytes, "What was sent: modules, forward, gradient, label, control", &row::kind),
        number_column<row>("due_s", "s", "Emulated time of its arrival, since the start of the round", &row::due_s),
        number_column<row>("late_s", "s",
                           "Real time from when it was due (due_s times time_scale) until it could be used; the sum "
                           "of the four parts that follow",
                           &row::late_s),
        number_column<row>("upstream_s", "s", "Part of late_s: it came late, because its sender was", &row::upstream_s),
        number_column<row>("own_compute_s", "s", "Part of late_s: its receiver was still computing",
                           &row::own_compute_s),
        number_column<row>("neighbour_s", "s", "Part of late_s: another node of the same rank was computing",
                           &row::neighbour_s),
        number_column<row>("timer_s", "s", "Part of late_s: the rank woke up late", &row::timer_s),
    };
}

} // namespace gaisnet
