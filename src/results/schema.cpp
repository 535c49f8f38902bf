#include "results/schema.hpp"

#include <map>
#include <tuple>

namespace gaisnet {

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
    "/communication: bytes and spectrum; /inference: each request; /service: decisions (/service_candidates: among "
    "what; /service_clients: "
    "what became of whose requests; /service_policies: regret); /plan: plans between two objectives, tuning methods "
    "that were tried; /events: every "
    "computation and "
    "transfer; /topology: "
    "nodes, links and ranks. "
    "While status is 'running' open the file with h5py.File(name, 'r', swmr=True). If its writer was killed, run "
    "'h5clear -s FILE' once; all rounds that had ended are there.";
const char* topology = "Who exists (nodes), who can send to whom (links), and where the processes ran (ranks).";
const char* communication = "Traffic of the emulated network: by link class and cause (links), by node (nodes); and "
                            "what really moved between processes (transport).";
const char* nodes = "One row per node, in the order of its index.";
const char* links = "One row per directed link between two nodes.";
const char* plan = "What gaisnet plan has found.";
const char* plans = "One row per plan between two objectives (pareto), with the plans that it was compared with.";
const char* tunings = "One row per tuning method and rung of its training (measure); sums since its first round.";
const char* federations = "One row per average of all edges' shared modules at the cloud (cloud.period).";
const char* probes =
    "One row per model and domain: how well the model's features tell the domain's classes apart, or how well it tells "
    "next tokens.";
const char* requests = "One row per request for inference: when it came, where its time went, and what was answered.";
const char* tokens = "One row per token of a text that was generated, in the order in which they were told.";
const char* services = "One row per round of service (and policy, of a table): what was done, what it cost and earned.";
const char* chains = "One row per stage of each chain, in the order that smashed data takes.";
const char* service_candidates = "One row per round of service and candidate: every edge's fine-tuning, and every "
                                 "client whose requests waited. Empty "
                                 "when requests do not wait (serve.arrivals = given).";
const char* service_clients =
    "One row per client: how many of its requests were answered or given up, and how long they waited. Written when "
    "service ends; empty when requests do not wait (serve.arrivals = given).";
const char* service_policies =
    "One row per policy: its regret, which is what an oracle would have earned less what its decisions bring. Written "
    "when service ends; empty with serve.regret = off.";
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
                     "was told not to keep events; of some clusters when it was told to keep a part.";
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

} // namespace gaisnet
