#pragma once

#include "base/compute_kind.hpp"
#include "data/partition_rule.hpp"
#include "emulation/distribution.hpp"
#include "emulation/medium.hpp"
#include "emulation/radio.hpp"
#include "model/optimizer_kind.hpp"
#include "model/tuning_settings.hpp"
#include "model/vit_config.hpp"
#include "network/service.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// What the rate of a class of links follows from: R = B log2(1 + P g / (N0 B NF)), capped.
struct radio_settings {
    path_loss_model loss;
    double frequency_hz = 0;
    double shadowing_db = 0; ///< Standard deviation; drawn once for each pair of nodes.
    double tx_gain_db = 0, rx_gain_db = 0;
    double noise_figure_db = 0;
    double max_efficiency = std::numeric_limits<double>::infinity(); ///< bit/s/Hz
    double min_rate = 0;                                             ///< bit/s: below, the link does not exist.
    fading_kind fading = fading_kind::none;                          ///< Drawn for each round.
    double k_factor = 0;                                             ///< rician
};

/// One class of links: every link of the class draws its values from these.
struct link_settings {
    distribution rate;    ///< bit/s, unless radio or trace.
    distribution latency; ///< s
    /// Hz of each link or medium; by radio, private D2D: the band of an edge, divided over clusters and directed hops.
    /// Absent: that of a rate / spectral_efficiency.
    std::optional<distribution> bandwidth;
    double spectral_efficiency = 5; ///< bit/s/Hz of a rate or a trace's peak, unless bandwidth.
    double max_efficiency = std::numeric_limits<double>::infinity(); ///< bit/s/Hz: by radio a cap, else a warning.
    std::optional<distribution> tx_power{};                          ///< W radiated; absent: the device's tx_power.
    std::optional<double> wired_j_bit{}; ///< J/bit of a wired link, without radios and spectrum.
    std::optional<radio_settings> radio{};
    std::shared_ptr<const rate_trace> trace{};
    share_kind share = share_kind::exclusive;
    std::optional<distribution> capacity{}; ///< bit/s, maxmin; absent: that of the fastest link of the medium.
    distribution jitter{};                  ///< s
    double loss = 0;                        ///< Of a packet.
    std::uint64_t packet = 1500;            ///< B
};

/// One class of devices: every node of the class draws its values from these.
struct device_settings {
    distribution rate;                               ///< FLOP/s at the peak, or frequency x flops_per_cycle.
    distribution efficiency = distribution::of(1.0); ///< Part of the peak that is reached.
    distribution factor = distribution::of(1.0);     ///< Times the host's speed (compute = measured).
    distribution power;                              ///< W while computing
    std::optional<double> kappa;           ///< W s^3: E = kappa f^2 x cycles; with frequency and flops_per_cycle.
    std::optional<distribution> frequency; ///< Hz
    double flops_per_cycle = 0.0;
    distribution tx_power;                                     ///< W radiated
    distribution amplifier_efficiency = distribution::of(1.0); ///< Radiated / drawn by the amplifier.
    distribution circuit_power;                                ///< W while sending, beside the amplifier
    distribution rx_power;                                     ///< W of the radio while receiving
    distribution idle_power;                                   ///< W of the radio while it does neither
    distribution base_power;                                   ///< W all the time, but for sleep
    std::optional<distribution> sleep_power{};                 ///< W; absent: it does not sleep.
    distribution memory;                                       ///< B
    std::optional<distribution> battery{};                     ///< J; absent: mains.
};

/// m, in a plane.
struct position {
    double x = 0, y = 0;
};

/// Where clients stand.
enum class layout_kind {
    disc, ///< At random: a cluster's centre in the disc of its edge, its members in a disc about it.
    grid, ///< On a square lattice in the cell of their edge, row by row to and fro: neighbours of a chain side by side.
    list, ///< All positions come from network.file.
};
enum class mobility_kind { none, waypoint, file };
enum class access_kind { cellular, cell_free };
enum class half_duplex_kind { none, d2d, cs, all };

/// What network.file says about single nodes and links; it overrides what is drawn. SI units; absent: as drawn.
struct node_override {
    std::string name;
    std::optional<position> place{};
    std::optional<double> rate{}, power{}, tx_power{}, amplifier_efficiency{}, circuit_power{}, rx_power{},
        idle_power{}, base_power{}, sleep_power{}, memory{}, battery{};
};
struct link_override {
    std::string from, to;
    std::optional<double> rate, latency, bandwidth, loss;
};
struct network_overrides {
    /// By edge and cluster the names of clients; empty: as many as network.* says, with names of ours.
    std::vector<std::vector<std::vector<std::string>>> clients;
    std::vector<node_override> nodes;
    std::vector<link_override> links;
};

/// Positions of nodes over time, straight lines between them.
using recorded_paths = std::map<std::string, std::vector<std::pair<double, position>>>;

/// When an edge closes a round.
enum class wait_kind { all, fraction, deadline };

/// A client that is lost at a time: 3.25 is a quarter through the batches of round 3.
struct scheduled_dropout {
    std::string client;
    double round = 1;
};

/// What a cluster does that loses a client.
enum class dropout_policy {
    skip,   ///< Its work of the round is lost.
    repair, ///< A neighbour in the chain takes the lost client's stage over.
};

enum class schedule_kind { serial, gpipe, one_f_one_b };
enum class label_route { chain, local };
enum class stop_kind { rounds, plateau, target };
enum class stop_metric { accuracy, loss };
enum class placement_kind { automatic, cluster, node };
enum class compute_model { by_rate, measured };
enum class clock_kind { virtual_time, real };
enum class data_source { folder, procedural };
enum class damaged_policy { skip, fatal };
enum class pretraining_kind { supervised, masked };

/// What chains are for.
enum class service_kind { fine_tuning, inference };
/// Who trains what. All have the same nodes, links and samples.
enum class scheme_kind {
    hfsl, ///< Chains of clients, averaged over clusters.
    fl,   ///< Each start point trains the whole model by itself; averaged (federated learning).
    sl,   ///< Start point and edge share the model; one cluster after another, handing the model on (split learning).
    splitfed,   ///< The same, all clusters at once and averaged (Thapa et al., AAAI 2022, SFLV1).
    centralised ///< Start points send their samples to the edge, which trains alone.
};

/// What an edge delivers to a worker that lacks the current version of the model.
enum class delivery_kind {
    tunable, ///< The tuned modules of its stages.
    full,    ///< Its stages with their frozen weights.
    none,    ///< Nothing: all workers have it.
};
enum class arrival_kind { poisson, burst, trace };
/// Whose tuned modules answer the requests under an edge.
enum class served_model {
    own,     ///< The edge's.
    untuned, ///< None: the foundation model.
    other,   ///< Another edge's.
};

/// When requests come, s since the start of the session: by name of the requester, or "" for all.
using request_trace = std::map<std::string, std::vector<double>>;

struct stop_rule {
    stop_kind kind = stop_kind::rounds;
    stop_metric metric = stop_metric::accuracy; ///< plateau
    double min_delta = 0.0;                     ///< plateau
    int patience = 1;                           ///< plateau: rounds without an improvement of min_delta
    double accuracy = 1.0;                      ///< target, 0..1
};

/// Everything a run depends on, typed and checked; made from the options by config/. Quantities are in SI units.
struct scenario {
    struct {
        int edges = 1;
        int clusters = 2;            ///< An edge.
        std::vector<int> clients{4}; ///< A cluster; one value for all, or one for each cluster of an edge.
        layout_kind layout = layout_kind::disc;
        double radius = 100.0;               ///< m, of an edge's cell.
        double cluster_radius = 20.0;        ///< m, disc.
        std::optional<double> edge_distance; ///< m between neighbouring edges; absent: twice the radius.
        network_overrides overrides;
    } network;
    struct {
        mobility_kind kind = mobility_kind::none;
        distribution speed;                          ///< m/s, a leg (waypoint).
        double pause = 0;                            ///< s between legs (waypoint).
        double step = 1;                             ///< s: how often rates follow the positions.
        std::shared_ptr<const recorded_paths> paths; ///< file
    } mobility;
    struct {
        /// Empty: `even`. Otherwise one count of blocks a stage, in chain order (the edge's stage included), summing
        /// to the model's depth; one list for all clusters, or one list for each cluster of an edge.
        std::vector<std::vector<int>> blocks;
    } split;
    struct {
        std::optional<int> edge_stage; ///< 1-based position of the edge's stage in every chain; 2 or larger.
        bool edge_when_needed = false; ///< `auto`: planning/edge_share fills edge_blocks.
        std::vector<int> edge_blocks;  ///< By cluster: blocks of a stage of the edge behind the start point; 0: none.
    } cluster;
    struct {
        wait_kind wait = wait_kind::all;
        double fraction = 1.0;   ///< Of an edge's clusters (wait_kind::fraction).
        double deadline_s = 0.0; ///< After the start of the round (wait_kind::deadline).
    } round;
    struct {
        double probability = 0.0; ///< Of a client, in a round.
        std::vector<scheduled_dropout> schedule;
        dropout_policy policy = dropout_policy::skip;
    } dropout;
    struct {
        int period = 0; ///< Rounds between averages over edges at the cloud; 0: there is no cloud.
    } cloud;
    struct {
        std::int64_t samples = 200; ///< Of each domain, for class means and again for the check; 0: no check.
        std::optional<int> unseen;  ///< procedural: a domain that no edge has.
        std::string unseen_root;    ///< folder: the same; empty: none.
    } probe;                        ///< How good features are on every domain.
    struct {
        vit_config vit;
        std::string weights; ///< safetensors file; "random" draws them from the seed.
        std::string cache;   ///< Directory of converted weights; empty: the user's cache directory.
    } model;
    tuning_settings tuning;
    struct {
        int rounds = 3;
        stop_rule stop;
        int epochs = 1; ///< A round; ignored when steps > 0.
        int steps = 0;  ///< Batches a round; 0: whole epochs.
        int batch = 10;
        int micro_batches = 1;
        schedule_kind schedule = schedule_kind::serial;
        optimizer_kind optimizer = optimizer_kind::sgd;
        double lr = 0.01;
        double lr_final = 0.01; ///< Cosine decay ends at this fraction of lr.
        double momentum = 0.9;
        double weight_decay = 5e-5;
        label_route labels = label_route::chain;
        bool charge_evaluation = false;
        bool cache = false; ///< Keep outputs of what is frozen over epochs. Changes only how fast the emulation is.
    } train;
    scheme_kind scheme = scheme_kind::hfsl;
    std::uint64_t sample_bytes = 0;                   ///< Of a raw sample that is sent (centralised).
    service_kind service = service_kind::fine_tuning; ///< By the command.
    struct {
        std::int64_t requests = 100; ///< Of each start point (poisson, burst).
        arrival_kind arrivals = arrival_kind::poisson;
        double rate = 10.0;                         ///< Requests a second of each start point (poisson).
        std::shared_ptr<const request_trace> trace; ///< trace
        int batch = 8;                              ///< Requests that go through a chain together, at most.
        int in_flight = 0;                          ///< Batches in a chain, at most; 0: as many as it has stages.
        delivery_kind delivery = delivery_kind::tunable;
        std::vector<std::string> modules; ///< safetensors files of tuned modules, one for each edge; empty: untuned.
        served_model model = served_model::own;
        int model_edge = 0; ///< other
        double deadline_s =
            0; ///< A cluster whose requests take longer on average needs the edge (edge_stage = auto); 0: none.
        std::string images; ///< Folder of images to classify; empty: the edge's validation samples.
    } infer;
    struct {
        bool by_table = false; ///< Profits and costs are given; else they come from runs.
        int rounds = 10;
        std::vector<service_policy> policies{service_policy::mlcp}; ///< A table compares several.
        bool liquidity = true;
        double cash = 0;
        std::vector<service_model> models; ///< by_table
        /// By round (the last one for all that follow) and model: requests of a round of use, or (by_table) a factor.
        std::vector<std::vector<double>> demand{{1.0}};
        std::vector<double> value{1.0};                              ///< Of a right answer; by edge, or one for all.
        double price_time = 0, price_energy = 0, price_spectrum = 0; ///< A s, a J, a Hz s.
        std::vector<std::vector<double>> curves; ///< Accuracies by edge and round as they are believed; empty: fitted.
        bool regret = true; ///< Trains all edges to the end, to know what an oracle would have earned.
    } serve;
    struct {
        data_source source = data_source::procedural;
        std::vector<std::string> roots; ///< folder: one for all edges, one for each edge, or one for each start point.
        std::vector<double> mean{0.5, 0.5, 0.5};
        std::vector<double> std{0.5, 0.5, 0.5};
        double train_fraction = 0.8;
        partition_rule partition;
        std::int64_t per_cluster = 0;          ///< Samples of a start point; 0: a share of all.
        distribution available;                ///< Part of its training samples that a start point has, 0 to 1.
        distribution label_noise, blur, noise; ///< Of a start point's training samples; see sample_quality.
        damaged_policy damaged = damaged_policy::skip;
        bool augment = true;         ///< Random resized crop and flip in training.
        int threads = 0;             ///< That decode images, a rank; 0: its share of the computer's cores.
        std::optional<double> cache; ///< Bytes of decoded images that a rank keeps; not set: a part of what is free.
        int classes = 6;             ///< procedural
        int domain = 0;              ///< procedural: domain of the first edge; edge e has domain + e.
        std::int64_t samples = 1200; ///< procedural: images of a domain before the train/validation split.
    } data;
    struct {
        double time = 0.0;                    ///< s a sample
        double energy = 0.0;                  ///< J a sample
        bool each_round = false;              ///< The same samples are sensed anew in every round.
        bool stream = false;                  ///< Start points go on sensing; see sample_stream.
        std::int64_t rate = 50, buffer = 200; ///< Samples a round, and samples kept.
    } sense;
    struct {
        link_settings cs_up, cs_down, d2d, backhaul;
        access_kind access = access_kind::cellular;
        int access_points = 4;  ///< Of an edge (cell_free).
        bool multicast = false; ///< cs_down: what several clients get is sent once.
        half_duplex_kind half_duplex = half_duplex_kind::none;
        bool charge_gradients = true;
        std::uint64_t request_bytes = 256; ///< Of a client's request to its edge.
    } link;
    struct {
        device_settings cloud, edge, client;
    } device;
    struct {
        pretraining_kind objective = pretraining_kind::supervised;
        std::string root; ///< Folder of images; empty: procedural ones of `domains` domains.
        int epochs = 5;
        std::int64_t samples = 1200; ///< Images of each domain.
        int domains = 3;             ///< None of them an edge's, or the one that models are probed on.
        int batch = 64;
        int shards = 4; ///< Parts of a batch, whatever the number of ranks; at most as many ranks work.
        double lr = 2e-3;
        double mask = 0.6; ///< masked: part of an image's patches.
    } pretrain;
    struct {
        int threads = 1;
        int active_clusters = 1; ///< A rank.
        double silence = 10.0;   ///< s without a heartbeat after which a rank counts as dead.
    } runtime;
    struct {
        int every = 1; ///< Rounds between checkpoints; 0: only when asked to stop.
        int keep = 2;
        double part_s = 10.0; ///< infer: wall time of a part of the requests, about.
    } checkpoint;
    placement_kind placement = placement_kind::automatic;
    struct {
        device_choice device = device_choice::automatic;
        compute_precision precision = compute_precision::fp32;
        bool nccl_share_gpu = false;
    } compute; ///< Of the ranks; what is emulated has nothing to do with it.
    struct {
        int nodes = 1;
        int ranks = 0; ///< 0: as many as were started.
        int gpus_per_node = 0;
        double time = 3600; ///< s
    } job;
    compute_model computing = compute_model::by_rate; ///< Where compute times come from.
    clock_kind clock = clock_kind::virtual_time;
    double time_scale = 1.0;
    std::uint64_t seed = 1;
    std::string output = "gaisnet.h5";
    bool overwrite = false;
    bool events = true; ///< Keep the event table.
    std::string resume; ///< "", "auto" or a checkpoint directory.
    bool strict_fidelity = false;
    double fidelity_tolerance = 0.01; ///< s
};

} // namespace gaisnet
