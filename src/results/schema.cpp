#include "results/schema.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

namespace gaisnet {

namespace {

constexpr std::size_t class_bytes = 64; // Longer names of classes are cut.
constexpr std::size_t word_bytes = 24;  // The longest name of a kind, class or role has 17 characters.

/// Table name of a column that exists once for every link class: PREFIX + "d2d" + SUFFIX.
std::string by_class(const char* prefix, link_class link, const char* suffix = "") {
    return std::string(prefix) + name_of(link) + suffix;
}

constexpr std::array real_classes{link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul};

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

/// With a column for each part of a latency, behind that of the latency.
template <typename Row>
std::vector<column<Row>> with_parts(std::vector<column<Row>> columns) {
    auto place =
        std::find_if(columns.begin(), columns.end(), [](const auto& one) { return one.info.name == "latency_s"; });
    std::size_t index = 0;
    for (const auto* part : decltype(Row::parts)::parts()) {
        place = columns.insert(std::next(place),
                               number_column<Row>(std::string(part->name) + "_s", "s",
                                                  std::string("Part of latency_s: ") + part->description,
                                                  [index](const Row& row) { return row.parts.at(index); }));
        ++index;
    }
    return columns;
}

} // namespace

const char* name_of(cluster_outcome outcome) {
    switch (outcome) {
    case cluster_outcome::none: return "none";
    case cluster_outcome::done: return "done";
    case cluster_outcome::cut: return "cut";
    case cluster_outcome::lost: return "lost";
    }
    return "unknown";
}

namespace table_text {
const char* file =
    "Result of an emulated run of GaisNet: federated split fine-tuning over cloud, edges and clusters of clients. "
    "Times, energy and spectrum are those of the emulated network, unless a column says wall time. Every table "
    "explains itself: its attributes are description, columns (JSON), and unit:COLUMN and description:COLUMN for each "
    "column. /rounds: accuracy, loss and latency of each round; /clients, /energy, /memory: each node in each round; "
    "/communication: bytes and spectrum; /inference: each request; /service: decisions; /events: every computation and "
    "transfer; /topology: "
    "nodes, links and ranks. "
    "While status is 'running' open the file with h5py.File(name, 'r', swmr=True). If its writer was killed, run "
    "'h5clear -s FILE' once; all rounds that had ended are there.";
const char* topology = "Who exists (nodes), who can send to whom (links), and where the processes ran (ranks).";
const char* communication = "Traffic of the emulated network: by link class and cause (links), by node (nodes); and "
                            "what really moved between processes (transport).";
const char* nodes = "One row per node, in the order of its index.";
const char* links = "One row per directed link between two nodes.";
const char* federations = "One row per average of all edges' shared modules at the cloud (cloud.period).";
const char* probes = "One row per model and domain: how well the model's features tell the domain's classes apart.";
const char* requests = "One row per request for inference: when it came, where its time went, and what was answered.";
const char* services = "One row per round of service (and policy, of a table): what was done, what it cost and earned.";
const char* samples = "One row per start point and class: what it trains on, and how well it senses.";
const char* ranks = "One row per MPI rank: where it ran. Of a resumed run, the last part's.";
const char* stages =
    "Speed of this computer for each shape of stage, measured before round 1 (compute = measured, where "
    "the ledger uses it, and clock = real); else empty.";
const char* rounds = "One row per edge and round.";
const char* clients = "Work of each node (clients, and edges and cloud where they compute) in each round.";
const char* energy = "Energy of each node in each round by cause; the causes add up to total_j.";
const char* memory = "Peak memory of each node in each round, as the emulated device would need it.";
const char* traffic = "Bytes that each node sent and received over emulated links in each round.";
const char* by_link = "Emulated traffic in each round by link class and by what was sent; all edges together.";
const char* transport =
    "Messages that really moved between nodes in each round, and by what; not the emulated network.";
const char* fidelity =
    "How late each message could be used, in real time, with clock = real; empty with clock = virtual.";
const char* events = "Every computation and every transfer of the emulated network, round by round. Empty when the run "
                     "was told not to keep events.";
} // namespace table_text

std::vector<communication_row> communication_of(std::span<const event_row> events) {
    std::map<std::tuple<std::uint32_t, link_class, event_kind>, communication_row> sums;
    for (const auto& event : events) {
        if (event.link == link_class::none) {
            continue;
        }
        auto& sum = sums[{event.round, event.link, event.kind}];
        sum.messages += 1;
        sum.bytes += event.bytes;
        sum.occupied_s += event.end_s - event.start_s;
        sum.airtime_hz_s += event.airtime_hz_s;
        sum.energy_j += event.energy_j;
        sum.resent += event.resent;
        sum.on_medium_s += event.share * (event.end_s - event.start_s);
    }
    std::vector<communication_row> rows;
    for (auto& [key, sum] : sums) {
        std::tie(sum.round, sum.link, sum.cause) = key;
        rows.push_back(sum);
    }
    return rows;
}

std::vector<column<node_entry>> topology_node_columns(std::size_t name_bytes) {
    using row = node_entry;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.node->*member; });
    };
    using node = node_description;
    return {
        number_column<row>("node", "1", "Index of the node, as other tables use it",
                           [](const row& r) { return r.index; }),
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
    };
}

std::vector<column<link_entry>> topology_link_columns(std::size_t name_bytes) {
    using row = link_entry;
    return {
        number_column<row>("from", "1", "Index of the sending node", [](const row& r) { return r.link->from; }),
        number_column<row>("to", "1", "Index of the receiving node", [](const row& r) { return r.link->to; }),
        text_column<row>("from_name", name_bytes, "Name of the sending node", [](const row& r) { return r.from_name; }),
        text_column<row>("to_name", name_bytes, "Name of the receiving node", [](const row& r) { return r.to_name; }),
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
        text_column<row>("share", word_bytes, "How it shares its medium: private, equal, maxmin, airtime, reuse",
                         [](const row& r) { return std::string_view(r.link->share); }),
    };
}

std::vector<column<rank_description>> topology_rank_columns() {
    using row = rank_description;
    const auto text = [](const char* name, std::size_t bytes, const char* what, auto member) {
        return text_column<row>(name, bytes, what, [member](const row& r) { return std::string_view(r.*member); });
    };
    return {
        number_column<row>("rank", "1", "MPI rank", [](const row& r) { return r.rank; }),
        text("host", 64, "Host that it ran on", &row::host),
        text("cores", 128, "Cores that it might use", &row::cores),
        text("device", 64, "What it computed on: CPU, or the name of its GPU", &row::device),
        number_column<row>("gpu", "1", "Number of the GPU among those that the rank saw; -1: none",
                           [](const row& r) { return r.gpu; }),
        text("gpu_uuid", 48, "UUID of the GPU, as nvidia-smi prints it", &row::gpu_uuid),
        text("transport", word_bytes, "What carried its smashed data to other ranks: nccl or mpi (or loopback: none)",
             &row::transport),
    };
}

std::vector<column<stage_description>> topology_stage_columns() {
    using row = stage_description;
    const auto speed = [](const char* name, const char* text, auto member) {
        return number_column<row>(name, "FLOP/s", text, [member](const row& r) { return r.*member; });
    };
    return {
        text_column<row>("shape", 64, "What a stage of this shape holds, takes in and gives out",
                         [](const row& r) { return std::string_view(r.shape); }),
        speed("forward_flop_s", "Speed of a forward", &row::forward_flop_s),
        speed("backward_flop_s", "Speed of a backward; 0: it has none", &row::backward_flop_s),
        speed("step_flop_s", "Speed of an optimiser step; 0: it has none", &row::step_flop_s),
    };
}

std::vector<column<samples_description>> topology_samples_columns(std::size_t name_bytes) {
    using row = samples_description;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    return {
        number("cluster", "1", "Number of the cluster, from 0 over all edges", &row::cluster),
        text_column<row>("node", name_bytes, "Its start point", [](const row& r) { return std::string_view(r.node); }),
        number("label", "1", "Number of the class", &row::label),
        text_column<row>("class", class_bytes, "Name of the class",
                         [](const row& r) { return std::string_view(r.class_name); }),
        number("samples", "1", "Training samples of this class that it may see (before label noise)", &row::samples),
        number("label_noise", "1", "Probability that a sample bears a wrong label", &row::label_noise),
        number("blur_px", "px", "Standard deviation of the blur of its images", &row::blur_px),
        number("noise", "1", "Standard deviation of the noise of its images, parts of the full scale", &row::noise),
    };
}

std::vector<column<round_row>> round_columns() {
    using row = round_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    std::vector<column<row>> columns{
        number("edge", "1", "Edge, from 0", &row::edge),
        number("round", "1", "Round, counted from 1", &row::round),
        number("accuracy", "1", "Validation accuracy after the round, 0 to 1", &row::accuracy),
        number("loss", "nat", "Mean cross entropy on the validation samples after the round", &row::loss),
        number("train_loss", "nat", "Mean cross entropy over the round's training samples", &row::train_loss),
        number("train_accuracy", "1", "Accuracy over the round's training samples, 0 to 1", &row::train_accuracy),
        number("latency_s", "s", "Latency of the round; the sum of the parts that follow", &row::latency_s),
        number("clusters_done", "1", "Clusters that ended in time and are in the average", &row::clusters_done),
        number("clusters_cut", "1", "Clusters that had not ended when the round was closed", &row::clusters_cut),
        number("clusters_lost", "1", "Clusters that lost a client and with it their round", &row::clusters_lost),
        number("clusters_repaired", "1", "Of clusters_done: those that went on without a lost client",
               &row::clusters_repaired),
        number("end_s", "s", "Emulated time at which the round ended", &row::end_s),
        number("samples", "1", "Samples trained on in the round, epochs counted", &row::samples),
        number("client_flops", "FLOP", "Computed by clients", &row::client_flops),
        number("edge_flops", "FLOP", "Computed by the edge", &row::edge_flops),
        number_column<row>("energy_j", "J", "Energy of all nodes of this edge in the round",
                           [](const row& r) { return r.energy.total_j(); }),
        number_column<row>("active_j", "J",
                           "Of energy_j: sensing, computing, sending, receiving; without idle radios, "
                           "base power and sleep",
                           [](const row& r) { return r.energy.active_j(); }),
        number_column<row>("sense_compute_send_j", "J",
                           "Of energy_j: sensing, computing and sending, the sum that papers usually give",
                           [](const row& r) { return r.energy.sensing_computing_sending_j(); }),
    };
    for (const auto link : real_classes) {
        columns.push_back(number_column<row>(by_class("bytes_", link), "B",
                                             by_class("Bytes sent over links of class ", link),
                                             [link](const row& r) { return r.bytes[static_cast<std::size_t>(link)]; }));
    }
    for (const auto link : real_classes) {
        columns.push_back(
            number_column<row>(by_class("airtime_", link, "_hz_s"), "Hz s",
                               by_class("Spectrum use (bandwidth times time) of links of class ", link),
                               [link](const row& r) { return r.airtime_hz_s[static_cast<std::size_t>(link)]; }));
    }
    columns.push_back(number("wall_s", "s", "Wall time that the emulation of the round took", &row::wall_s));
    return with_parts(std::move(columns));
}

namespace {

auto of_node(const char* name, const char* unit, const char* text, auto member) {
    return number_column<node_record>(name, unit, text, [member](const node_record& r) { return r.row->*member; });
}

} // namespace

std::vector<column<federation_row>> federation_columns() {
    using row = federation_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    return {
        number("round", "1", "Round after which it was, counted from 1", &row::round),
        number("start_s", "s", "Emulated time at which the first edge was ready", &row::start_s),
        number("end_s", "s", "Emulated time at which the last edge had the average", &row::end_s),
        number("waited_s", "s", "Time between the first and the last upload's arrival", &row::waited_s),
        number("flops", "FLOP", "Computed by the cloud", &row::flops),
        number("energy_j", "J", "Energy of the cloud since the federation before; that of others is in /rounds",
               &row::energy_j),
    };
}

std::vector<column<probe_row>> probe_columns() {
    using row = probe_row;
    const auto text = [](const char* name, const char* what, std::string row::*member) {
        return text_column<row>(name, class_bytes, what,
                                [member](const row& r) { return std::string_view(r.*member); });
    };
    return {
        number_column<row>("round", "1", "Round after which it was; 0: before training",
                           [](const row& r) { return r.round; }),
        text("model", "untuned (the foundation model), cloud (after its average), or an edge", &row::model),
        text("domain", "Domain of the samples", &row::domain),
        number_column<row>("seen", "1", "1: some edge has this domain; 0: none has",
                           [](const row& r) { return r.seen ? 1U : 0U; }),
        text("method",
             "class means: nearest mean of a class's features (cosine), from training samples; head: the "
             "model's own head",
             &row::method),
        number_column<row>("accuracy", "1", "On validation samples, 0 to 1", [](const row& r) { return r.accuracy; }),
        number_column<row>("samples", "1", "Validation samples", [](const row& r) { return r.samples; }),
    };
}

std::vector<column<service_row>> service_columns(std::size_t name_bytes) {
    using row = service_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    const auto text = [](const char* name, std::size_t width, const char* what, std::string row::*member) {
        return text_column<row>(name, width, what, [member](const row& r) { return std::string_view(r.*member); });
    };
    return {
        number("round", "1", "Round of service, counted from 1; the rounds of other tables are the same", &row::round),
        text("policy", word_bytes, "Who decided: mlcp, msip, random, always_infer, oracle", &row::policy),
        text("action", word_bytes, "fine_tune, infer, or none", &row::action),
        text("model", name_bytes, "The edge whose model it was, or the model of a table", &row::model),
        text("requester", name_bytes, "infer: the start point whose requests were answered", &row::requester),
        number("level", "1", "Fine-tunings of this model before this round", &row::level),
        number("expected", "1", "Accuracy that the policy counted on, 0 to 1; NaN: it does not look ahead",
               &row::expected),
        number("accuracy", "1", "fine_tune: validation accuracy afterwards; infer: of the answers; 0 to 1",
               &row::accuracy),
        number("requests", "1", "Requests that were answered", &row::requests),
        number("right", "1", "Right answers", &row::right),
        number("latency_s", "s", "Emulated time that the service took", &row::latency_s),
        number("energy_j", "J", "Energy of all nodes of the edge", &row::energy_j),
        number("spectrum_hz_s", "Hz s", "Spectrum use, all classes of links", &row::spectrum_hz_s),
        number("value", "1", "Earned: value of a right answer times right answers, or the profit of a table",
               &row::value),
        number("cost", "1", "Time, energy and spectrum at their prices, or the cost of a table", &row::cost),
        number_column<row>("income", "1", "value less cost", [](const row& r) { return r.income(); }),
        number("cash", "1", "After the round", &row::cash),
    };
}

std::vector<column<request_row>> request_columns(std::size_t image_bytes) {
    using row = request_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    const auto text = [](const char* name, std::size_t width, const char* what, std::string row::*member) {
        return text_column<row>(name, width, what, [member](const row& r) { return std::string_view(r.*member); });
    };
    return with_parts(std::vector<column<row>>{
        number("round", "1", "Session of inference, counted from 1", &row::round),
        number("edge", "1", "Edge of the requester", &row::edge),
        number("cluster", "1", "Cluster that the requester has founded", &row::cluster),
        number("client", "1", "Index of the requester: its row in /topology/nodes", &row::client),
        number("request", "1", "Number of the request, from 0 in the order of arrival, by requester", &row::request),
        number("batch", "1", "Batch in which it went through the chain, from 0 by requester", &row::batch),
        number("batch_size", "1", "Requests in that batch", &row::batch_size),
        number("arrival_s", "s", "Emulated time at which the request came", &row::arrival_s),
        number("latency_s", "s", "From its arrival until its result was back; the sum of the parts that follow",
               &row::latency_s),
        text("image", image_bytes, "The sample", &row::image),
        text("label", class_bytes, "Its class; empty: not known", &row::label),
        text("predicted", class_bytes, "The class that was answered; empty in a forecast", &row::predicted),
        number("probability", "1", "Of the class that was answered (softmax)", &row::probability),
    });
}

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

std::vector<column<node_record>> memory_columns(std::size_t name_bytes) {
    return with_node(name_bytes, {
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
}

std::vector<column<node_record>> node_traffic_columns(std::size_t name_bytes) {
    return with_node(name_bytes,
                     {
                         of_node("bytes_sent", "B", "Sent, over all links", &node_row::bytes_sent),
                         of_node("bytes_received", "B", "Received, over all links", &node_row::bytes_received),
                     });
}

std::vector<column<communication_row>> communication_columns() {
    using row = communication_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    return {
        number("round", "1", "Round, counted from 1", &row::round),
        text_column<row>("link", word_bytes, "Class: cs_up (client to edge), cs_down (edge to client), d2d, backhaul",
                         [](const row& r) { return std::string_view(name_of(r.link)); }),
        text_column<row>("cause", word_bytes,
                         "What was sent: send_modules_down, send_modules_up (tunable modules), send_forward "
                         "(activations), send_gradient, send_label, send_result, send_samples, send_request",
                         [](const row& r) { return std::string_view(name_of(r.cause)); }),
        number("messages", "1", "Messages", &row::messages),
        number("bytes", "B", "Bytes", &row::bytes),
        number("occupied_s", "s", "Time that links were occupied, summed over links", &row::occupied_s),
        number("airtime_hz_s", "Hz s", "Spectrum use: bandwidth times time", &row::airtime_hz_s),
        number("energy_j", "J", "Sending and receiving, at both ends", &row::energy_j),
        number("resent", "1", "Packets that were lost and sent again", &row::resent),
        number_column<row>("rate_bit_s", "bit/s", "Bytes over occupied_s", [](const row& r) { return r.rate_bit_s(); }),
        number_column<row>("share", "1", "Part of the medium that a transfer had, mean over occupied_s",
                           [](const row& r) { return r.share(); }),
    };
}

std::vector<column<transport_row>> transport_columns() {
    using row = transport_row;
    return {
        number_column<row>("round", "1", "Round, counted from 1", [](const row& r) { return r.round; }),
        text_column<row>("transport", word_bytes, "loopback (inside one process), mpi or nccl",
                         [](const row& r) { return std::string_view(r.transport); }),
        number_column<row>("messages", "1", "Messages", [](const row& r) { return r.messages; }),
        number_column<row>("bytes", "B", "Bytes of tensors, without envelopes", [](const row& r) { return r.bytes; }),
    };
}

std::vector<column<event_row>> event_columns() {
    using row = event_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    return {
        number("node", "1", "Index of the node that computed or sent: its row in /topology/nodes", &row::node),
        number("peer", "1", "Index of the node that received; equal to node for a computation", &row::peer),
        text_column<row>("kind", word_bytes,
                         "On a device: sense, forward, backward, step (optimiser), aggregate (FedAvg), evaluate, wait "
                         "(an edge for its deadline); on a "
                         "link: send_modules_down, send_modules_up, send_forward (activations), send_gradient, "
                         "send_label, send_result, send_samples, send_request (of a client to its edge)",
                         [](const row& r) { return std::string_view(name_of(r.kind)); }),
        text_column<row>("link", 8, "Class of the link: cs_up, cs_down, d2d, backhaul; none for a computation",
                         [](const row& r) { return std::string_view(name_of(r.link)); }),
        number("round", "1", "Round, counted from 1", &row::round),
        number("start_s", "s", "Emulated time at which the device or link was occupied", &row::start_s),
        number("end_s", "s", "Emulated time at which it was free again", &row::end_s),
        number("arrival_s", "s", "end_s plus the latency of the link", &row::arrival_s),
        number("flops", "FLOP", "Computed; 0 for a transfer", &row::flops),
        number("bytes", "B", "Sent; 0 for a computation", &row::bytes),
        number("energy_j", "J",
               "Energy, for a transfer at both ends: its part of what a radio draws that does several at once",
               &row::energy_j),
        number("airtime_hz_s", "Hz s", "Spectrum use of a transfer: bandwidth times share of it times time",
               &row::airtime_hz_s),
        number("rate_bit_s", "bit/s", "Of a transfer: its bytes over the time of its occupation", &row::rate_bit_s),
        number("share", "1", "Of a transfer: part of its medium that it had, mean over the occupation", &row::share),
        number("on_air_s", "s",
               "Of a transfer: time during which its sender's radio sent; not while other links had their turn, nor "
               "in outages",
               &row::on_air_s),
        number("loss", "1", "Of a transfer: probability of a packet to be lost", &row::loss),
        number("resent", "1", "Packets of a transfer that were lost and sent again", &row::resent),
        number("distance_m", "m", "Of a transfer: distance of its ends when it started; 0: its rate is not by radio",
               &row::distance_m),
        number_column<row>("cut", "1", "1: it was not over when its round was closed, and is charged up to then",
                           [](const row& r) { return std::uint32_t{r.cut}; }),
        number("receivers", "1", "Receivers of a transfer; of more than one (a multicast), peer is the first",
               &row::receivers),
    };
}

std::vector<column<fidelity_row>> fidelity_columns() {
    using row = fidelity_row;
    const auto number = [](const char* name, const char* unit, const char* text, auto member) {
        return number_column<row>(name, unit, text, [member](const row& r) { return r.*member; });
    };
    return {
        number("round", "1", "Round, counted from 1", &row::round),
        number("from", "1", "Index of the sending node", &row::from),
        number("to", "1", "Index of the receiving node", &row::to),
        text_column<row>("kind", word_bytes, "What was sent: modules, forward, gradient, label, control",
                         [](const row& r) { return std::string_view(r.kind); }),
        number("due_s", "s", "Emulated time of its arrival, since the start of the round", &row::due_s),
        number("late_s", "s",
               "Real time from when it was due (due_s times time_scale) until it could be used; the sum "
               "of the four parts that follow",
               &row::late_s),
        number("upstream_s", "s", "Part of late_s: it came late, because its sender was", &row::upstream_s),
        number("own_compute_s", "s", "Part of late_s: its receiver was still computing", &row::own_compute_s),
        number("neighbour_s", "s", "Part of late_s: another node of the same rank was computing", &row::neighbour_s),
        number("timer_s", "s", "Part of late_s: the rank woke up late", &row::timer_s),
    };
}

} // namespace gaisnet
