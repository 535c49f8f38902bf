#pragma once

#include "emulation/energy.hpp"
#include "emulation/event.hpp"
#include "emulation/latency.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

namespace gaisnet {

inline constexpr double unknown_figure = std::numeric_limits<double>::quiet_NaN();

/// Outcome of a client's cluster in a round.
enum class cluster_outcome : std::uint8_t {
    none, ///< The node is an edge.
    done, ///< It finished in time and is in the average.
    cut,  ///< It had not finished when the round was closed.
    lost, ///< It lost a client.
};
const char* name_of(cluster_outcome);

/// Computation and traffic, added up over whatever they are of.
struct work_totals {
    double client_flops = 0, edge_flops = 0;
    std::array<std::uint64_t, link_classes> bytes{}; ///< Indexed by link_class.
    std::array<double, link_classes> airtime_hz_s{};

    work_totals& operator+=(const work_totals& more) {
        client_flops += more.client_flops;
        edge_flops += more.edge_flops;
        for (std::size_t link = 0; link < bytes.size(); ++link) {
            bytes[link] += more.bytes[link];
            airtime_hz_s[link] += more.airtime_hz_s[link];
        }
        return *this;
    }
};

/// One round of one edge.
struct round_row : work_totals {
    std::uint32_t edge = 0;  ///< 0-based.
    std::uint32_t round = 0; ///< 1-based.
    double accuracy = 0;     ///< Validation, 0..1: of classes, or of next tokens.
    double loss = 0;         ///< Validation, mean cross entropy of predictions, nats.
    double train_loss = 0;   ///< Mean over the round's training samples.
    double train_accuracy = 0;
    double bits_per_byte = unknown_figure; ///< Validation; of next tokens.
    double latency_s = 0;                  ///< Latency of the round.
    /// Of latency_s along the critical path, to which they add up. `cloud` comes after the round: federation, and waiting
    /// for other edges.
    latency_parts parts;
    std::uint32_t clusters_done = 0, clusters_cut = 0, clusters_lost = 0;
    std::uint32_t clusters_repaired = 0; ///< Of those that are done.
    double end_s = 0;                    ///< Virtual time at which the round ended.
    std::uint64_t samples = 0;           ///< Trained on in this round; each epoch counts.
    energy_parts energy;                 ///< Sum over all nodes of this edge.
    double wall_s = 0;                   ///< Wall time of the emulation.
};

/// One average of all edges at the cloud.
struct federation_row {
    std::uint32_t round = 0;
    double start_s = 0;  ///< When the first edge was ready.
    double end_s = 0;    ///< When the last edge had the average.
    double waited_s = 0; ///< Between the first and the last arrival of an upload at the cloud.
    double flops = 0;
    double energy_j = 0; ///< Of the cloud since the previous federation; edges and clients count in their rounds.
};

/// One request for inference.
struct request_row {
    std::uint32_t round = 1; ///< Number of the session.
    std::uint32_t edge = 0, cluster = 0;
    std::uint32_t client = 0;                ///< Node that made the request.
    std::uint32_t request = 0;               ///< Number among the requests of this node, from 0, by arrival.
    std::uint32_t batch = 0, batch_size = 0; ///< Batch with which it went through the chain.
    double arrival_s = 0;                    ///< When the node wanted it.
    double latency_s = 0;                    ///< From arrival_s until the result was back.
    request_parts parts;                     ///< Of latency_s, to which they add up.
    // Of a text that is generated; else 0.
    std::uint32_t prompt_tokens = 0, tokens = 0;
    double first_token_s = 0; ///< From arrival_s until the first token was told.
    // The answer; empty in a forecast.
    std::string image, label, predicted; ///< Of a text: name and text of the prompt, and what was generated.
    double probability = 0;              ///< Softmax probability of the predicted class.
};

/// One token of a text that is generated.
struct token_row {
    std::uint32_t round = 1; ///< Number of the session.
    std::uint32_t cluster = 0, request = 0;
    std::uint32_t token = 0; ///< From 0.
    double latency_s = 0;    ///< Since the token before, or the arrival of the request.
    std::int32_t id = -1;    ///< Of the tokenizer; -1 in a forecast.
};

/// One round of service: a model was fine-tuned, or it answered requests.
struct service_row {
    std::uint32_t round = 0;    ///< From 1.
    std::string policy, action; ///< action: fine_tune, infer, none.
    std::string model;          ///< Name of an edge, or of a model in a table.
    std::string requester;      ///< Only for infer in a run.
    std::uint32_t level = 0;    ///< Fine-tunings of the model before this round.
    double expected = 0;        ///< Accuracy that the policy expected; NaN: it does not look ahead, or a table.
    double accuracy = 0;        ///< fine_tune: validation afterwards; infer: of the answers; NaN in a table.
    std::uint64_t requests = 0;
    double right = 0; ///< Answers; of texts, requests times the model's quality.
    double latency_s = 0, energy_j = 0, spectrum_hz_s = 0;
    double value = 0, cost = 0;
    double income() const { return value - cost; }
    double cash = 0; ///< After the round.
};

/// A plan between two objectives.
struct plan_row {
    std::string label;
    double latency_s = 0, energy_j = 0, spectrum_hz_s = 0, memory_bytes = 0, goodput_per_s = 0;
    bool on_front = false;
};

/// A tuning method that a plan has tried, after a rung of training; sums since the first round.
struct tuning_row {
    std::string tuning;       ///< "lora 8"
    std::uint32_t rung = 0;   ///< From 1; 0: it was not trained.
    std::uint32_t rounds = 0; ///< Trained so far.
    double accuracy = 0, best_accuracy = 0, loss = 0;
    double latency_s = 0, energy_j = 0, spectrum_hz_s = 0, memory_bytes = 0;
    double upload_bytes = 0; ///< Over CS uplinks in a round, mean.
    std::uint64_t parameters = 0;
    bool reached = false;
    std::string outcome; ///< goes on, dropped, chosen, diverged, does not fit
    double wall_s = 0;
};

/// One candidate of a round of service in which requests wait, as the policy saw it.
struct service_candidate_row {
    std::uint32_t round = 0;      ///< From 1.
    std::string action;           ///< fine_tune, infer.
    std::string model, requester; ///< requester: only for infer.
    std::uint64_t requests = 0;   ///< infer: that would be answered.
    double wait_s = 0;            ///< infer: of the oldest of them.
    double expected = 0;          ///< Accuracy that was expected.
    double latency_s = 0, cost = 0;
    double profit = 0; ///< infer: in this round; fine_tune: of the gain, over the requests ahead.
    bool chosen = false;
};

/// What became of the requests of one client, when service ended.
struct service_client_row {
    std::string client;
    std::uint32_t edge = 0;
    std::uint64_t arrived = 0, answered = 0, expired = 0, waiting = 0;
    double right = 0;                      ///< As in service_row.
    double wait_s = 0, longest_wait_s = 0; ///< Of those answered, until their service began; NaN: there are none.
};

/// What a policy came to.
struct service_policy_row {
    std::string policy;
    double cash = 0;      ///< At the end.
    double decisions = 0; ///< What its services are worth by the figures that the oracle uses.
    double oracle = 0;    ///< The oracle's cash.
    bool exact = true;    ///< Whether nothing brings more than that.
    double regret() const { return oracle - decisions; }
};

/// Accuracy of one model on one domain.
struct probe_row {
    std::uint32_t round = 0;
    std::string model; ///< "untuned", "cloud", "edge0"
    std::string domain;
    bool seen = true;   ///< Whether some edge has this domain.
    std::string method; ///< "class means" of features, the model's own "head", or its "next tokens".
    double accuracy = 0;
    double loss = unknown_figure; ///< Mean cross entropy of next tokens, nats.
    std::uint64_t samples = 0;
    static auto parts(auto& self) {
        return std::tie(self.round, self.model, self.domain, self.seen, self.method, self.accuracy, self.loss,
                        self.samples);
    }
};

/// One node in one round (the source of the tables /clients, /energy and /memory).
struct node_row : energy_parts {
    std::uint32_t node = 0;
    std::uint32_t round = 0;
    double busy_s = 0; ///< Computing and sensing.
    double flops = 0;
    double battery_j = 0; ///< Remaining after the round; infinite: mains.
    cluster_outcome outcome = cluster_outcome::none;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
    std::uint64_t temporary_bytes = 0; ///< Peak: intermediate results and smashed data.
    std::uint64_t cache_bytes = 0;     ///< Peak of keys and values of texts; in temporary_bytes.
    std::uint64_t total_bytes = 0;     ///< Peak: temporary, weights, tunables, gradients, optimiser state.
    std::uint64_t backbone_bytes = 0;  ///< Frozen weights of stages that it does not hold; not in total_bytes.
    std::uint64_t samples = 0;         ///< Trained on from this start point; each epoch counts; else 0.
};

/// Static description of a node, for /topology/nodes.
struct node_description {
    std::string name; ///< "edge0", "c1.2" (cluster 1, client 2), "e1.c1.2" with several edges.
    node_role role{};
    std::int32_t edge = -1, cluster = -1, position = -1; ///< 0-based; -1 where it has no meaning.
    std::int32_t rank = 0;
    std::int32_t first_block = -1, blocks = 0;
    std::uint64_t samples = 0;
    double rate_flop_s = 0, power_w = 0;
    double radiated_w = 0, tx_power_w = 0, rx_power_w = 0, idle_power_w = 0; ///< Its radio's power; tx: power drawn.
    double base_power_w = 0;
    double sleep_power_w = 0; ///< NaN for a node that does not sleep.
    std::uint64_t memory_bytes = 0;
    double battery_j = 0;    ///< Infinite: mains.
    double x_m = 0, y_m = 0; ///< At the start.
    std::int32_t tuning_rank = 0;
};

/// Static description of a directed link, for /topology/links.
struct link_description {
    std::uint32_t from = 0, to = 0;
    link_class kind{};
    double rate_bit_s = 0, latency_s = 0, bandwidth_hz = 0;
    double radiated_w = 0;   ///< 0: a cable.
    double wired_j_bit = 0;  ///< NaN: radio.
    double loss = 0;         ///< Loss probability of a packet.
    double distance_m = 0;   ///< NaN where no radio model is used.
    double path_loss_db = 0; ///< With shadowing, minus antenna gains; NaN without a radio model.
    double reach_m = 0;      ///< See radio_map::reach_m, for link.*.min_rate; NaN without a radio model.
    bool spare = false;      ///< See network_link.
    std::string share;       ///< "private", "equal", "maxmin", "airtime", "reuse"
    std::uint32_t since_round = 1;
};

/// This computer's speed on stages of one shape, for /topology/stages (`compute = measured`, `clock = real`).
struct stage_description {
    std::string shape;
    double forward_flop_s = 0, backward_flop_s = 0, step_flop_s = 0;
};

/// One stage of a chain, for /topology/chains.
struct chain_description {
    std::uint32_t edge = 0, cluster = 0, position = 0; ///< The cluster's number among those of its edge.
    std::uint32_t node = 0;
    std::uint32_t first_block = 0, blocks = 0;
    bool embedding = false, head = false;
    std::uint32_t since_round = 1;
};

/// Number of samples of one class at one start point, for /topology/samples.
struct samples_description {
    std::int32_t cluster = 0;
    std::string node;
    std::int32_t label = 0;
    std::string class_name;
    std::uint64_t samples = 0;
    double label_noise = 0, blur_px = 0, noise = 0, token_noise = 0; ///< See sample_quality.
    std::uint32_t since_round = 1;
};

/// Where a rank ran, for /topology/ranks.
struct rank_description {
    std::uint32_t rank = 0;
    std::string host;
    std::string cores;  ///< Cores that it may use: "0-3,8".
    std::string device; ///< "CPU", or the GPU's name.
    std::int32_t gpu = -1;
    std::string gpu_uuid;
    std::string transport; ///< Carries smashed data to similar ranks: "loopback", "mpi", "nccl".
};

/// Lateness of a message in a run with `clock = real`.
struct fidelity_row {
    std::uint32_t round = 0;
    std::uint32_t from = 0, to = 0; ///< Nodes.
    std::string kind;               ///< Kind of the message: modules, forward, gradient, label, control.
    double due_s = 0;               ///< Emulated, since the start of the round.
    double late_s = 0, upstream_s = 0, own_compute_s = 0, neighbour_s = 0, timer_s = 0; ///< In real time.
};

/// Messages and bytes that a transport actually carried between ranks (or within one), per round.
struct transport_row {
    std::uint32_t round = 0;
    std::string transport; ///< "loopback", "mpi", "nccl"
    std::uint64_t messages = 0, bytes = 0;
};

} // namespace gaisnet
