#include "results/schema.hpp"
#include "results/schema_columns.hpp"

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

std::vector<column<node_record>> with_node(std::size_t name_bytes, std::vector<column<node_record>> rest) {
    using row = node_record;
    std::vector<column<row>> columns;
    columns.push_back(
        number_column<row>("round", "1", "Round, counted from 1", [](const row& r) { return r.row->round; }));
    columns.push_back(number_column<row>("node", "1", "Index of the node: its row in /topology/nodes",
                                         [](const row& r) { return r.row->node; }));
    columns.push_back(text_column<row>("name", name_bytes, "Name of the node", [](const row& r) { return r.name; }));
    columns.push_back(text_column<row>("role", word_bytes, "cloud, edge or client",
                                       [](const row& r) { return std::string_view(name_of(r.role)); }));
    for (auto& entry : rest) {
        columns.push_back(std::move(entry));
    }
    return columns;
}

auto of_node(const char* name, const char* unit, const char* text, auto member) {
    return number_column<node_record>(name, unit, text, [member](const node_record& r) { return r.row->*member; });
}

} // namespace

std::vector<column<node_record>> client_columns(std::size_t name_bytes) {
    return with_node(
        name_bytes,
        {
            of_node("busy_s", "s", "Time spent computing and sensing", &node_row::busy_s),
            of_node("flops", "FLOP", "Computed", &node_row::flops),
            of_node("samples", "1", "Samples trained on from this start point, epochs counted; 0 for others",
                    &node_row::samples),
            text_column<node_record>("outcome", word_bytes,
                                     "What became of its cluster: done (it is in the average), cut (the round was "
                                     "closed before), lost (a client dropped out; of a chain that was repaired only "
                                     "that client); none for an edge",
                                     [](const node_record& r) { return std::string_view(name_of(r.row->outcome)); }),
        });
}

std::vector<column<node_record>> energy_columns(std::size_t name_bytes) {
    return with_node(
        name_bytes,
        {
            of_node("sense_j", "J", "Sensing samples", &node_row::sense_j),
            of_node("compute_j", "J", "Computing", &node_row::compute_j),
            of_node("transmit_j", "J", "Sending: amplifier and circuits of the radio, or a cable",
                    &node_row::transmit_j),
            of_node("receive_j", "J", "Receiving, while it did not send", &node_row::receive_j),
            of_node("idle_j", "J", "Its radio while it neither sent nor received", &node_row::idle_j),
            of_node("base_j", "J", "Base power of the device", &node_row::base_j),
            of_node("sleep_j", "J", "Sleep, from its last work of the round on", &node_row::sleep_j),
            number_column<node_record>("total_j", "J", "Sum of the seven",
                                       [](const node_record& r) { return r.row->total_j(); }),
            of_node("battery_j", "J", "Left in its battery after the round; inf: mains", &node_row::battery_j),
        });
}

std::vector<column<node_record>> memory_columns(std::size_t name_bytes, bool next_tokens) {
    auto columns =
        with_node(name_bytes, {
                                  of_node("temporary_bytes", "B", "Peak of intermediate results and smashed data",
                                          &node_row::temporary_bytes),
                                  of_node("total_bytes", "B",
                                          "Peak of temporary_bytes, weights, tunable modules, gradients and "
                                          "optimiser state together",
                                          &node_row::total_bytes),
                                  of_node("other_backbone_bytes", "B",
                                          "Frozen weights of the foundation model outside its stages; not in "
                                          "total_bytes, but on every device if all of them hold the whole model",
                                          &node_row::backbone_bytes),
                              });
    if (next_tokens) {
        columns.push_back(of_node("cache_bytes", "B", "Of temporary_bytes: peak of keys and values of texts",
                                  &node_row::cache_bytes));
    }
    return columns;
}

std::vector<column<node_record>> node_traffic_columns(std::size_t name_bytes) {
    return with_node(name_bytes,
                     {
                         of_node("bytes_sent", "B", "Sent, over all links", &node_row::bytes_sent),
                         of_node("bytes_received", "B", "Received, over all links", &node_row::bytes_received),
                     });
}

} // namespace gaisnet
