#include "results/schema.hpp"
#include "results/schema_columns.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace gaisnet {

namespace {

constexpr const char* since_round_text =
    "First round of the clusters to which the row belongs: 1, or larger when clusters changed (plan.period)";

} // namespace

std::vector<column<node_entry>> topology_node_columns(std::size_t name_bytes) {
    using row = node_entry;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.node->*member; });
    };
    using node = node_description;
    return {
        number_column<row>("node", "1", "Index of the node, as other tables use it", &row::index),
        text_column<row>("name", name_bytes, "Name of the node; c1.2 is client 2 of cluster 1, both from 0",
                         [](const row& r) { return std::string_view(r.node->name); }),
        text_column<row>("role", word_bytes, "cloud, edge or client",
                         [](const row& r) { return std::string_view(name_of(r.node->role)); }),
        number("edge", "1", "Edge that it belongs to, from 0; -1: none", &node::edge),
        number("cluster", "1", "Cluster of that edge, from 0; -1: none", &node::cluster),
        number("position", "1", "Position in the cluster's chain, from 0 (the start point); -1: none", &node::position),
        number("rank", "1", "MPI rank that played the node (the last one, if the run was resumed)", &node::rank),
        number("first_block", "1",
               "First Transformer block of its stage, from 0 (of an edge: of its stage in the first cluster); -1: none",
               &node::first_block),
        number("blocks", "1", "Transformer blocks of its stage", &node::blocks),
        number("samples", "1", "Training samples that it owns", &node::samples),
        number("rate_flop_s", "FLOP/s", "Compute rate", &node::rate_flop_s),
        number("power_w", "W", "Power for computing, beside base_power_w", &node::power_w),
        number("radiated_w", "W", "Power that its radio radiates, where its links say nothing else", &node::radiated_w),
        number("tx_power_w", "W", "Power that its radio draws while it radiates radiated_w", &node::tx_power_w),
        number("rx_power_w", "W", "Power that its radio draws while it receives and does not send", &node::rx_power_w),
        number("idle_power_w", "W", "Power that its radio draws while it does neither", &node::idle_power_w),
        number("base_power_w", "W", "Power of the whole device at all times, but for sleep", &node::base_power_w),
        number("sleep_power_w", "W",
               "Power of the whole device from its last work of a round on; NaN: it does not sleep",
               &node::sleep_power_w),
        number("memory_bytes", "B", "Memory of the device", &node::memory_bytes),
        number("battery_j", "J", "Battery at the start; inf: mains", &node::battery_j),
        number("x_m", "m", "Position at the start, first coordinate (an edge without cells: its first access point)",
               &node::x_m),
        number("y_m", "m", "Position at the start, second coordinate", &node::y_m),
        number("tuning_rank", "1",
               "Rank with which it tunes (lora); that of edges is the largest of all; 0: its method has none",
               &node::tuning_rank),
    };
}

std::vector<column<link_entry>> topology_link_columns(std::size_t name_bytes) {
    using row = link_entry;
    return {
        number_column<row>("from", "1", "Index of the sending node", [](const row& r) { return r.link->from; }),
        number_column<row>("to", "1", "Index of the receiving node", [](const row& r) { return r.link->to; }),
        text_column<row>("from_name", name_bytes, "Name of the sending node", &row::from_name),
        text_column<row>("to_name", name_bytes, "Name of the receiving node", &row::to_name),
        text_column<row>("link", word_bytes, "Class: cs_up (client to edge), cs_down (edge to client), d2d, backhaul",
                         [](const row& r) { return std::string_view(name_of(r.link->kind)); }),
        number_column<row>("rate_bit_s", "bit/s", "Rate when nobody shares its medium, without fading, at the start",
                           [](const row& r) { return r.link->rate_bit_s; }),
        number_column<row>("latency_s", "s", "Latency, on top of the time that the bits take",
                           [](const row& r) { return r.link->latency_s; }),
        number_column<row>("bandwidth_hz", "Hz", "Its band, or that of the medium that it shares",
                           [](const row& r) { return r.link->bandwidth_hz; }),
        number_column<row>("radiated_w", "W", "Power that its sender radiates when it sends nothing else; 0: a cable",
                           [](const row& r) { return r.link->radiated_w; }),
        number_column<row>("energy_per_bit_j", "J/bit", "Of a cable, charged to its sender; NaN: radio",
                           [](const row& r) { return r.link->wired_j_bit; }),
        number_column<row>("loss", "1", "Probability of a packet to be lost and sent again",
                           [](const row& r) { return r.link->loss; }),
        number_column<row>("distance_m", "m", "Distance of its ends at the start; NaN: its rate is not by radio",
                           [](const row& r) { return r.link->distance_m; }),
        number_column<row>("path_loss_db", "dB",
                           "Path loss with shadowing, less antenna gains; NaN: its rate is not by radio",
                           [](const row& r) { return r.link->path_loss_db; }),
        number_column<row>(
            "reach_m", "m",
            "Distance up to which it carries link.*.min_rate, without shadowing; NaN: its rate is not by "
            "radio",
            [](const row& r) { return r.link->reach_m; }),
        number_column<row>("spare", "1", "1: only a repaired chain would use it, or nothing does",
                           [](const row& r) { return static_cast<std::uint32_t>(r.link->spare); }),
        text_column<row>("share", word_bytes, "How it shares its medium: private, equal, maxmin, airtime, reuse",
                         [](const row& r) { return std::string_view(r.link->share); }),
        number_column<row>("since_round", "1", since_round_text, [](const row& r) { return r.link->since_round; }),
    };
}

std::vector<column<rank_description>> topology_rank_columns() {
    using row = rank_description;
    return {
        number_column<row>("rank", "1", "MPI rank", &row::rank),
        text_column<row>("host", 64, "Host that it ran on", &row::host),
        text_column<row>("cores", 128, "Cores that it might use", &row::cores),
        text_column<row>("device", 64, "What it computed on: CPU, or the name of its GPU", &row::device),
        number_column<row>("gpu", "1", "Number of the GPU among those that the rank saw; -1: none", &row::gpu),
        text_column<row>("gpu_uuid", 48, "UUID of the GPU, as nvidia-smi prints it", &row::gpu_uuid),
        text_column<row>("transport", word_bytes,
                         "What carried its smashed data to other ranks: nccl or mpi (or loopback: none)",
                         &row::transport),
    };
}

std::vector<column<stage_description>> topology_stage_columns() {
    using row = stage_description;
    return {
        text_column<row>("shape", 64, "What a stage of this shape holds, takes in and gives out", &row::shape),
        number_column<row>("forward_flop_s", "FLOP/s", "Speed of a forward", &row::forward_flop_s),
        number_column<row>("backward_flop_s", "FLOP/s", "Speed of a backward; 0: it has none", &row::backward_flop_s),
        number_column<row>("step_flop_s", "FLOP/s", "Speed of an optimiser step; 0: it has none", &row::step_flop_s),
    };
}

std::vector<column<chain_description>> topology_chain_columns() {
    using row = chain_description;
    return {
        number_column<row>("edge", "1", "Edge of the cluster, from 0", &row::edge),
        number_column<row>("cluster", "1", "Cluster of that edge, from 0", &row::cluster),
        number_column<row>("position", "1", "Place in the chain, from 0", &row::position),
        number_column<row>("node", "1", "Index of the node that holds the stage: its row in /topology/nodes",
                           &row::node),
        number_column<row>("first_block", "1", "First Transformer block of the stage, from 0", &row::first_block),
        number_column<row>("blocks", "1", "Transformer blocks of the stage", &row::blocks),
        number_column<row>("embedding", "1", "1: it begins with the embedding",
                           [](const row& r) { return static_cast<std::uint32_t>(r.embedding); }),
        number_column<row>("head", "1", "1: it ends with the head and the loss",
                           [](const row& r) { return static_cast<std::uint32_t>(r.head); }),
        number_column<row>("since_round", "1", since_round_text, &row::since_round),
    };
}

std::vector<column<samples_description>> topology_samples_columns(std::size_t name_bytes) {
    using row = samples_description;
    return {
        number_column<row>("cluster", "1", "Number of the cluster, from 0 over all edges", &row::cluster),
        text_column<row>("node", name_bytes, "Its start point", &row::node),
        number_column<row>("label", "1", "Number of the class", &row::label),
        text_column<row>("class", class_bytes, "Name of the class", &row::class_name),
        number_column<row>("samples", "1", "Training samples of this class that it may see (before label noise)",
                           &row::samples),
        number_column<row>("label_noise", "1", "Probability that a sample bears a wrong label", &row::label_noise),
        number_column<row>("blur_px", "px", "Standard deviation of the blur of its images", &row::blur_px),
        number_column<row>("noise", "1", "Standard deviation of the noise of its images, parts of the full scale",
                           &row::noise),
        number_column<row>("token_noise", "1", "Probability that a token of its texts is read as another one",
                           &row::token_noise),
        number_column<row>("since_round", "1", since_round_text, &row::since_round),
    };
}

} // namespace gaisnet
