#pragma once

// The nodes and their positions: [network], [mobility], [cluster], [split].

#include "base/position.hpp"
#include "scenario/planning.hpp"
#include "settings/key.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// Where clients stand.
enum class layout_kind {
    disc, ///< Random: the centre of a cluster lies in the disc of its edge, its members in a disc around that.
    grid, ///< On a square lattice in the cell of their edge, row by row to and fro: neighbours of a chain side by side.
    list, ///< All positions come from network.file.
};
inline constexpr word<layout_kind> layout_words[] = {
    {"disc", layout_kind::disc}, {"grid", layout_kind::grid}, {"list", layout_kind::list}};

/// Values of network.file for single nodes and links, in SI units; they replace drawn values. Absent: as drawn.
struct node_override {
    std::string name;
    std::optional<position> place{};
    std::optional<double> rate{}, power{}, tx_power{}, amplifier_efficiency{}, circuit_power{}, rx_power{},
        idle_power{}, base_power{}, sleep_power{}, memory{}, battery{};
    std::optional<double> samples{};                      ///< Training samples of its share that it has.
    std::optional<double> label_noise{}, blur{}, noise{}; ///< Of a start point; see sample_quality.
    std::optional<double> rank{};                         ///< With which it tunes, in place of tuning.rank.
    std::optional<int> edge{};                            ///< Of a client that is in no cluster.
};
struct link_override {
    std::string from, to;
    std::optional<double> rate, latency, bandwidth, loss;
};
/// A cluster of network.file.
struct listed_cluster {
    std::vector<std::string> clients; ///< Names in chain order, the start point first.
    std::vector<int> blocks{};        ///< Of each client; empty: split.blocks divides the model.
    int edge_blocks = 0;              ///< Of a stage at the edge, behind the start point; 0: there is none.
};
struct network_overrides {
    /// By edge; empty: as many as network.* says, with generated names.
    std::vector<std::vector<listed_cluster>> clusters;
    std::vector<node_override> nodes;
    std::vector<link_override> links;
};

/// Reads single nodes, links and clusters, each part optional:
///
///     {"clusters": [{"edge": "edge0", "clients": ["a", "b"], "blocks": [1, 3], "edge_blocks": 0}],
///      "nodes": [{"name": "a", "position": ["10 m", "0 m"], "rate": "1 TFLOP/s", ...}],
///      "links": [{"from": "a", "to": "b", "rate": "50 Mbit/s", "latency": "2 ms", "bandwidth": "5 MHz", "loss": "0.01"}]}
///
/// A node may have rate, power, tx_power, rx_power, idle_power, sleep_power, memory, battery and rank; and an edge, if it is
/// a client in no cluster, which a clustering may take. In CSV form the lines
/// are `cluster, EDGE, CLIENT, CLIENT, ...`, `node, NAME, KEY = VALUE, ...`, `link, FROM, TO, KEY = VALUE, ...`, with x
/// and y instead of position. Everything else is drawn as without the file. \throws usage_error naming the place and
/// what is accepted.
network_overrides read_network_file(const std::string& path);

/// Positions of nodes over time, connected by straight lines.
using recorded_paths = std::map<std::string, std::vector<std::pair<double, position>>>;
/// Reads a CSV file: `node, time, x, y` per line, with units or in s and m; the times of a node ascend. \throws
/// usage_error naming file and line.
std::shared_ptr<const recorded_paths> read_paths(const std::string& path);

struct network_settings {
    static constexpr section key{"network", commands::emulating};
    static constexpr double most_nodes = 5e6;

    int edges =
        key.count("edges", "1", "edges, each with clusters and a domain of its own", within(1, most_nodes),
                  {.commands = commands::all, .when = {with("pretrain.root", {""}).for_commands(commands::pretrain)}});
    int clusters =
        key.count("clusters", "4", "clusters an edge", within(1, most_nodes),
                  {.commands = commands::all, .when = {with("pretrain.root", {""}).for_commands(commands::pretrain)}});
    /// Number per cluster: one value for all clusters, or one for each cluster of an edge.
    std::vector<int> clients =
        key.parsed("clients", "4", "4 or 4,3,5", "clients a cluster; a list gives each cluster its own", parse_clients);
    layout_kind layout = key.choice("layout", "disc", layout_words,
                                    "clients at random in a disc about their cluster's centre; on a lattice; or as "
                                    "network.file says");
    double radius = length("radius", assumed("100 m"), "radius of an edge's cell").value();
    double cluster_radius = length("cluster_radius", assumed("20 m"), "radius of a cluster (disc)").value();
    std::optional<double> edge_distance =
        length("edge_distance", "", "between neighbouring edges; not set: twice network.radius");
    network_overrides overrides =
        key.file("file", "a path",
                 "JSON or CSV of single nodes, clusters and links, in place of drawn ones; --dry-run writes one",
                 read_network_file);

private:
    static std::vector<int> parse_clients(const std::string&);
    static std::optional<double> length(const char* name, const initial_value& initial, const char* help) {
        return key.quantity_if_set(name, dimension::length, initial, help, within(0.01, 1e7, "1 cm to 10000 km"));
    }
};

enum class mobility_kind { none, waypoint, file };
inline constexpr word<mobility_kind> mobility_words[] = {{"none", mobility_kind::none},
                                                         {"waypoint", mobility_kind::waypoint}};

struct mobility_settings {
    static constexpr section key{"mobility", commands::emulating};
    mobility_kind kind = key.choice("model", "none", mobility_words, "clients stand still, or walk to random points");
    /// m/s, drawn for each leg (waypoint).
    distribution speed =
        key.drawn("speed", dimension::speed, assumed("3 km/h"), "drawn for each leg (waypoint)",
                  above_to(0, 1e4, "up to 10000 m/s"), {.when = {with("mobility.model", {"waypoint"})}});
    /// s between legs (waypoint).
    double pause = key.quantity("pause", dimension::time, assumed("0"), "between legs (waypoint)", at_least(0),
                                {.when = {with("mobility.model", {"waypoint"})}});
    /// s
    double step = key.quantity("step", dimension::time, assumed("1 s"), "how often rates follow positions",
                               within(1e-3, 1e6, "1 ms to 1e6 s"));
    std::shared_ptr<const recorded_paths> paths =
        key.file("file", "a path", "CSV of node, time, x, y: recorded positions", read_paths);
};

struct split_request;
/// A rule that divides a model's blocks over a chain; see network/splitting.hpp.
struct splitter_entry {
    const char* name;
    /// \returns blocks by member, summing to the request's depth.
    std::vector<int> (*split)(const split_request&);
};

struct split_rule {
    std::string policy = "even"; ///< Of a splitter_entry; without lists of blocks.
    /// One count of blocks a stage, in chain order (the edge's stage included), summing to the model's depth; one list for
    /// all clusters, or one list for each cluster of an edge.
    std::vector<std::vector<int>> blocks{};
};

struct split_settings : split_rule {
    static constexpr section key{"split", commands::emulating};
    plan_objective objective = key.parsed("objective", "auto",
                                          "auto, latency, energy, spectrum, memory, goodput, or weighted(latency 1, "
                                          "energy 0.5)",
                                          "what blocks, clusters and start points are chosen by (auto, best)",
                                          planning_settings::parse_objective);
    split_settings()
        : split_rule(key.parsed(
              "blocks", "even", registry<splitter_entry>::names() + ", or 0,6,6,0",
              "blocks of each stage in chain order: even (equal numbers, whatever the devices), auto (chosen "
              "by the ledger), one list, or lists separated by ;",
              parse_blocks)) {}

private:
    static split_rule parse_blocks(const std::string&);
};

struct clustering_request;
/// A rule that forms the clusters of an edge; see network/clustering.hpp.
struct clustering_entry {
    const char* name;
    /// \returns indices of the request's clients, by cluster and in chain order.
    std::vector<std::vector<std::size_t>> (*group)(const clustering_request&);
};

enum class start_rule { first, data, best };
inline constexpr word<start_rule> start_words[] = {
    {"first", start_rule::first}, {"data", start_rule::data}, {"best", start_rule::best}};

/// A cluster as a rule or a planner has formed it.
struct formed_cluster {
    std::vector<std::size_t> clients; ///< Indices among the clients of its edge, in chain order, the start point first.
    std::vector<int> blocks{};        ///< Of each client; empty: split.blocks divides the model.
    int edge_blocks = 0;              ///< Of a stage at the edge, behind the start point; 0: there is none.
    bool operator==(const formed_cluster&) const = default;
    static auto parts(auto& self) { return std::tie(self.clients, self.blocks, self.edge_blocks); }
};
using formed_clusters = std::vector<std::vector<formed_cluster>>; ///< By edge.

/// Whether the edge holds a stage of each chain.
struct edge_stage_rule {
    std::optional<int> edge_stage; ///< 1-based position of the edge's stage in every chain; 2 or larger.
    bool edge_when_needed = false; ///< `auto`: planning/edge_share decides.
};

struct cluster_settings : edge_stage_rule {
    static constexpr section key{"cluster", commands::emulating};
    cluster_settings()
        : edge_stage_rule(key.parsed(
              "edge_stage", "none", "none, 2 and larger, or auto",
              "the edge holds a stage at this place of every chain (1 is the start point); auto: behind the start "
              "point, with as few blocks as the clients' memory, or a deadline (round.wait, infer.deadline), needs",
              parse_edge_stage)) {}
    std::string policy = key.named<clustering_entry>(
        "policy", "given",
        "who forms a cluster with whom; given: as network.* say; nearest: neighbours; best: chosen by the ledger");
    start_rule start =
        key.choice("start", "first", start_words,
                   "start point of a cluster: its first client, the one with most useful samples, or the "
                   "one that is best for the objective");
    /// 0: as many as network.* lists.
    int number = key.count("number", "0", "clusters that an edge forms (nearest, best); 0: as many as network.* lists",
                           within(0, network_settings::most_nodes));
    /// 0: as few as take all clients.
    int size = key.count("size", "0", "clients of a cluster, at most (nearest, best); 0: as few as take all clients in",
                         within(0, network_settings::most_nodes));
    /// Set by preparation and planners, no key. Empty: the policy decides.
    formed_clusters formed{};
    /// A planner has chosen them, no key: network.file may tell of clients and links that have no part then.
    bool planned = false;
    /// Set by planners, which play a part of the clusters, no key: how many share the D2D band of an edge; 0: those that
    /// are there.
    int sharing_band = 0;

private:
    static edge_stage_rule parse_edge_stage(const std::string&);
};

/// Clusters of an edge as network.* or network.file list them.
int listed_clusters(const network_settings&, int edge);
/// Clusters of an edge as they are formed.
int clusters_of(const scenario&, int edge);
/// Global index of an edge's first cluster; with the number of edges, the number of all clusters.
int first_cluster_of(const scenario&, int edge);

/// Numbers of edges, clusters and clients that network.file lists, as values of those keys.
std::map<std::string, std::string> listed_sizes(const network_overrides&);
/// Sets keys that are not given to the sizes that network.file lists.
void resolve_network(settings&);
/// Checks what concerns several keys. \throws usage_error
void check_network(const scenario&, const value_reader&);
void check_places(scenario&, const value_reader&);
void check_split(const scenario&, const value_reader&);

} // namespace gaisnet
