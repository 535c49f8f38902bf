#include "config/keys.hpp"

#include "emulation/radio.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace gaisnet {

namespace {

class table {
public:
    void text(const char* name, const char* initial, const char* what, const char* accepted = "") {
        keys.push_back({name, value_kind::text, dimension::number, initial, what, false, accepted});
    }
    void integer(const char* name, const char* initial, const char* what) {
        keys.push_back({name, value_kind::integer, dimension::number, initial, what, false, "a whole number"});
    }
    void real(const char* name, const char* initial, const char* what) {
        keys.push_back({name, value_kind::real, dimension::number, initial, what, false, "a number"});
    }
    void onoff(const char* name, const char* initial, const char* what) {
        keys.push_back({name, value_kind::onoff, dimension::number, initial, what, false, "on|off"});
    }
    void choice(const char* name, const char* initial, const char* accepted, const char* what) {
        keys.push_back({name, value_kind::choice, dimension::number, initial, what, false, accepted});
    }
    void list(const char* name, const char* initial, const char* what, const char* accepted) {
        keys.push_back({name, value_kind::list, dimension::number, initial, what, false, accepted});
    }
    void quantity(const char* name, dimension unit, const char* initial, const char* what, bool assumed = true) {
        keys.push_back({name, value_kind::quantity, unit, initial, what, assumed, accepted_units(unit)});
    }
    void drawn(const std::string& name, dimension unit, const char* initial, const char* what, bool assumed) {
        keys.push_back({name, value_kind::distribution, unit, initial, what, assumed, accepted_units(unit)});
    }
    void link(const std::string& kind, const char* rate, const char* latency, const char* band, const char* what) {
        const std::string prefix = "link." + kind + ".";
        drawn(prefix + "rate", dimension::rate, rate, what, true);
        drawn(prefix + "latency", dimension::time, latency, "time from the end of sending to arrival", true);
        drawn(prefix + "bandwidth", dimension::frequency, "", band, false);
        real((prefix + "spectral_efficiency").c_str(), "5",
             "bit/s/Hz: a link with a rate (or the peak of its trace) takes the band that this needs, unless bandwidth "
             "is set");
    }
    /// What a class of radio links has beside rate, latency and bandwidth.
    void radio(const std::string& kind, const char* shares, const char* noise_figure, const char* wired = "") {
        const std::string prefix = "link." + kind + ".";
        std::string models = "none";
        for (const auto& model : path_loss_models()) {
            models += ", " + model.name;
        }
        choice((prefix + "share").c_str(), "private", shares,
               "how its links under one edge (backhaul: all) share their medium: not at all; in equal parts of time; "
               "max-min "
               "fair; with equal chances to send, as 802.11; or all at once, as interference (reuse)");
        drawn(prefix + "capacity", dimension::rate, "",
              "of the medium of an edge, for share = maxmin; not set: that of its fastest link", false);
        text((prefix + "path_loss").c_str(), "none", "path loss model; the rate then follows from Shannon's formula",
             (models + ", or log_distance(DB AT 1 M, EXPONENT)").c_str());
        quantity((prefix + "frequency").c_str(), dimension::frequency, "2 GHz",
                 "carrier, for path loss models with one");
        text((prefix + "shadowing").c_str(), "model", "standard deviation of log-normal shadowing, drawn for each pair",
             "model (its own), or dB");
        drawn(
            prefix + "tx_power", dimension::power, "",
            "radiated power, which a node divides over what it sends at once; not set: the sender's device.*.tx_power",
            false);
        quantity((prefix + "energy_per_bit").c_str(), dimension::energy_per_bit, wired,
                 kind == "backhaul" ? "energy of a cable, charged to its sender; without effect with path_loss"
                                    : "energy of a cable, charged to its sender; not set: radios",
                 *wired != 0);
        quantity((prefix + "tx_gain").c_str(), dimension::decibel, "0 dBi", "antenna gain of the sender");
        quantity((prefix + "rx_gain").c_str(), dimension::decibel, "0 dBi", "antenna gain of the receiver");
        quantity((prefix + "noise_figure").c_str(), dimension::decibel, noise_figure, "of the receiver", false);
        text((prefix + "max_efficiency").c_str(), "10",
             "spectral efficiency: a cap with path_loss, a warning with a rate", "none, or bit/s/Hz");
        quantity((prefix + "min_rate").c_str(), dimension::rate, "100 kbit/s",
                 "a radio link that carries less does not exist");
        text((prefix + "fading").c_str(), "none", "block fading, drawn for every round",
             "none, rayleigh, or rician(K dB)");
        text((prefix + "trace").c_str(), "", "file of rates over time, in place of rate",
             "CSV of time, rate; or Mahimahi's format");
        drawn(prefix + "jitter", dimension::time, "0", "added to the latency of every message; may be below 0", true);
        real((prefix + "loss").c_str(), "0", "probability of a packet to be lost; it is sent again until it arrives");
        quantity((prefix + "packet").c_str(), dimension::size, "1500 B", "packet, for loss");
    }
    struct radio_figures {
        const char *tx, *efficiency, *circuit, *rx, *idle;
        bool assumed;
    };
    void device(const std::string& kind, const char* rate, const char* power, const radio_figures& radio,
                const char* base, const char* memory) {
        const std::string prefix = "device." + kind + ".";
        drawn(prefix + "rate", dimension::compute_rate, rate, "speed of computing", true);
        drawn(prefix + "efficiency", dimension::number, "1", "part of the rate that is reached, at most 1", true);
        drawn(prefix + "factor", dimension::number, "1", "times this computer's speed (compute = measured)", true);
        drawn(prefix + "power", dimension::power, power, "power for computing, beside base_power", true);
        keys.push_back({prefix + "kappa", value_kind::real, dimension::number, "",
                        "W s^3; with frequency and flops_per_cycle: E = kappa f^2 x cycles in place of power", false,
                        "a number"});
        drawn(prefix + "frequency", dimension::frequency, "", "clock, with kappa", false);
        keys.push_back({prefix + "flops_per_cycle", value_kind::real, dimension::number, "",
                        "FLOPs a cycle, with frequency", false, "a number"});
        drawn(prefix + "tx_power", dimension::power, radio.tx, "radiated power, unless link.*.tx_power is set",
              radio.assumed);
        drawn(prefix + "amplifier_efficiency", dimension::number, radio.efficiency,
              "radiated power / what the amplifier draws", radio.assumed);
        drawn(prefix + "circuit_power", dimension::power, radio.circuit,
              "of the radio while sending, beside the amplifier", radio.assumed);
        drawn(prefix + "rx_power", dimension::power, radio.rx, "of the radio while it receives and does not send",
              radio.assumed);
        drawn(prefix + "idle_power", dimension::power, radio.idle, "of the radio while it does neither", radio.assumed);
        drawn(prefix + "base_power", dimension::power, base, "of the whole device all the time, but for sleep", true);
        drawn(prefix + "sleep_power", dimension::power, "",
              "of the whole device from its last work of a round on; not set: it does not sleep", false);
        drawn(prefix + "memory", dimension::size, memory, "memory", true);
    }
    std::vector<key_info> keys;
};

std::vector<key_info> make_keys() {
    table t;
    t.integer("network.edges", "1", "edges, each with clusters and a domain of its own");
    t.integer("network.clusters", "4", "clusters an edge");
    t.list("network.clients", "4", "clients a cluster; a list gives each cluster its own", "4 or 4,3,5");
    t.choice("network.layout", "disc", "disc|grid|list",
             "clients at random in a disc about their cluster's centre; on a lattice; or as network.file says");
    t.quantity("network.radius", dimension::length, "100 m", "radius of an edge's cell");
    t.quantity("network.cluster_radius", dimension::length, "20 m", "radius of a cluster (disc)");
    t.quantity("network.edge_distance", dimension::length, "",
               "between neighbouring edges; not set: twice network.radius", false);
    t.text("network.file", "",
           "JSON or CSV of single nodes, clusters and links, in place of drawn ones; --dry-run writes one", "a path");
    t.choice("mobility.model", "none", "none|waypoint", "clients stand still, or walk to random points");
    t.drawn("mobility.speed", dimension::speed, "3 km/h", "drawn for each leg (waypoint)", true);
    t.quantity("mobility.pause", dimension::time, "0", "between legs (waypoint)");
    t.quantity("mobility.step", dimension::time, "1 s", "how often rates follow positions");
    t.text("mobility.file", "", "CSV of node, time, x, y: recorded positions", "a path");
    t.text("round.wait", "all", "when an edge closes a round; what has not ended by then is cut",
           "all, a part of its clusters such as 0.8, or a time such as 30 s");
    t.real("dropout.probability", "0", "of a client, in a round, at a random moment of it");
    t.text("dropout.schedule", "", "clients that are lost; 3.25 is a quarter through the batches of round 3",
           "CLIENT@ROUND, CLIENT@ROUND, ...");
    t.choice("dropout.policy", "skip", "skip, repair",
             "a cluster that loses a client: skip the round, or let a neighbour take its blocks over");
    t.text("split.blocks", "even", "blocks of each stage in chain order: even, one list, or lists separated by ;",
           "even, or 0,6,6,0");
    t.integer("cloud.period", "0", "rounds between averages of the edges' modules at the cloud; 0: no cloud");
    t.integer("probe.samples", "200",
              "samples of each domain that judge models' features by the nearest class mean (several edges); 0: none");
    t.text("probe.unseen", "auto", "a domain that no edge has, to judge the foundation model on",
           "auto (procedural: 1000 or later, folder: none), none, a domain's number, or a folder");
    t.choice(
        "scheme", "hfsl", "hfsl|fl|sl|splitfed|centralised",
        "chains of clients; whole models at start points; start point and edge, one cluster after another, or all at "
        "once; or the edge alone, with the samples of all");
    t.quantity("scheme.sample_size", dimension::size, "", "of a raw sample (centralised); not set: 3 bytes a pixel",
               false);
    t.text(
        "cluster.edge_stage", "none", "the edge holds a stage at this place of every chain (1 is the start point)",
        "none, 2 and larger, or auto: behind the start point, with as few blocks as the clients' memory, or a deadline "
        "(round.wait, infer.deadline), needs");

    t.choice("model.preset", "custom", "custom|vit_tiny|vit_small|vit_base", "size of the Vision Transformer");
    t.integer("model.image", "32", "side of the square input, pixels (custom)");
    t.integer("model.patch", "8", "side of a patch, pixels (custom)");
    t.integer("model.dim", "64", "width of a token (custom)");
    t.integer("model.depth", "4", "Transformer blocks (custom)");
    t.integer("model.heads", "4", "attention heads (custom)");
    t.text("model.weights", "random", "the pre-trained backbone",
           "a safetensors file with timm or Hugging Face names, or random");
    t.text("model.cache", "", "folder for converted weights; empty: the user's cache folder", "a folder");

    t.choice("tuning.method", "prompt_deep", "prompt_deep, prompt_shallow, prefix, lora, adapter, head, full",
             "what is tuned beside the head");
    t.integer("tuning.prompts", "10", "prompts, or keys and values, a block (prompt_deep, prompt_shallow, prefix)");
    t.integer("tuning.rank", "8", "rank of each change (lora)");
    t.real("tuning.alpha", "8", "changes are scaled by alpha / rank (lora)");
    t.text("tuning.targets", "q, v", "linear layers that are changed (lora)", "some of q, k, v, proj, fc1, fc2");
    t.integer("tuning.bottleneck", "16", "width of each adapter (adapter)");

    t.integer("train.rounds", "3", "rounds at most");
    t.text("train.stop", "rounds", "when training has converged",
           "rounds, plateau(accuracy|loss, MIN_DELTA, PATIENCE), or target(ACCURACY)");
    t.integer("train.epochs", "1", "epochs a round");
    t.integer("train.steps", "0", "batches a round; 0: whole epochs");
    t.integer("train.batch", "10", "samples a batch");
    t.integer("train.micro_batches", "1", "micro-batches a batch (gpipe, 1f1b)");
    t.choice("train.schedule", "serial", "serial|gpipe|1f1b", "order of work along the chain");
    t.choice("train.optimizer", "sgd", "sgd|adamw", "optimiser of every client");
    t.real("train.lr", "0.02", "learning rate at the start");
    t.real("train.lr_final", "0.01", "cosine decay ends at this fraction of train.lr");
    t.real("train.momentum", "0.9", "momentum (sgd)");
    t.real("train.weight_decay", "5e-5", "weight decay");
    t.choice("train.labels", "chain", "chain|local",
             "labels travel along the chain, or stay at the start point (U-shaped)");
    t.onoff("train.charge_evaluation", "off", "the edge's evaluation costs time and energy");

    t.choice("data.source", "procedural", "folder|procedural", "where images come from");
    t.text("data.root", "", "image folder: one folder a class, JPEG and PNG; several by comma, one for each edge",
           "a folder, or folders");
    t.list("data.mean", "0.5,0.5,0.5", "mean of red, green, blue", "three numbers");
    t.list("data.std", "0.5,0.5,0.5", "standard deviation of red, green, blue", "three numbers");
    t.real("data.train_fraction", "0.8", "part of each class that is trained on; the rest validates");
    t.text("data.partition", "iid", "how training samples are dealt out to the start points of an edge",
           "iid, dirichlet(ALPHA), quantity(ALPHA), classes(NUMBER), domain");
    t.choice("classes.scope", "client", "client, union",
             "classes(NUMBER): of each start point, which differ, or of all together");
    t.drawn("data.available", dimension::number, "1", "part of its share of training samples that a start point has",
            false);
    t.drawn("data.label_noise", dimension::number, "0", "probability of a wrong label, a start point", false);
    t.drawn("data.blur", dimension::number, "0", "Gaussian blur in pixels, a start point", false);
    t.drawn("data.noise", dimension::number, "0", "Gaussian noise, parts of the full scale, a start point", false);
    t.integer("data.per_cluster", "0", "training samples of a start point; 0: equal shares of all");
    t.choice("data.damaged", "skip", "skip|fatal", "what to do with damaged images");
    t.onoff("cache", "off",
            "keep what frozen stages make of a sample over epochs; faster, and the same results, on CPUs in fp32 bit "
            "for bit");
    t.onoff("data.augment", "on", "random resized crop and flip in training (folder)");
    t.integer("data.threads", "0", "threads of a rank that decode images; 0: its share of the computer's cores");
    t.quantity("data.cache", dimension::size, "",
               "memory of a rank for decoded images; not set: its share of a quarter of the computer's free memory",
               false);
    t.integer("data.classes", "6", "classes (procedural)");
    t.integer("data.domain", "0", "domain of the first edge; edge e has domain + e (procedural)");
    t.integer("data.samples", "1200", "images of a domain, before the split (procedural)");

    t.quantity("sense.time", dimension::time, "1 ms", "sensing time a sample");
    t.quantity("sense.energy", dimension::energy, "1 mJ", "sensing energy a sample");
    t.choice("sense.mode", "dataset", "dataset, each_round, stream",
             "a start point senses each sample once, in the first round that trains on it; or anew in every round; or "
             "goes on sensing new ones into a buffer. It begins when the round does, whatever the scheme");
    t.integer("sense.rate", "50", "new samples a round (stream)");
    t.integer("sense.buffer", "200", "samples that a start point keeps, and trains on (stream)");

    const char* const band =
        "of each link, or of the medium that links share; not set: 20 MHz with path_loss, else rate "
        "/ spectral_efficiency";
    t.link("cs_up", "100 Mbit/s", "5 ms", band, "client to edge");
    t.radio("cs_up", "private|equal|maxmin|airtime", "5 dB");
    t.link("cs_down", "100 Mbit/s", "5 ms", band, "edge to client");
    t.radio("cs_down", "private|equal|maxmin|airtime", "9 dB");
    t.link(
        "d2d", "50 Mbit/s", "2 ms",
        "with path_loss of an edge, divided over its clusters and the directed hops that carry something (not set: 5 "
        "MHz); with a rate of each link (not set: rate / spectral_efficiency)",
        "client to client");
    t.radio("d2d", "private|equal|maxmin|airtime|reuse", "9 dB");
    t.link("backhaul", "1 Gbit/s", "10 ms", "with path_loss; not set: 100 MHz", "edge to cloud and back");
    t.radio("backhaul", "private|equal|maxmin|airtime", "5 dB", "26.3 nJ/bit");
    t.choice("cs.access", "cellular", "cellular|cell_free",
             "each edge has a cell; or its access points, spread over the area, serve a client together");
    t.integer("cs.access_points", "4", "access points of an edge (cell_free)");
    t.quantity("cs_up.request_size", dimension::size, "256 B",
               "of a client's request to its edge: to be served (infer), or for a repair of its chain");
    t.onoff("cs_down.multicast", "off", "what several clients get from the edge is sent once");
    t.choice("half_duplex", "off", "off|d2d|cs|on",
             "a node's D2D radio, its radio to the edge, or each of the two, cannot send while it receives");
    t.onoff("charge.gradients", "on", "gradients of smashed data cost time, energy and bytes");
    // Base station: macro cell of Auer et al., "How much energy is needed to run a wireless network?", IEEE Wireless
    // Communications 18(5), 2011. Client: 1.14, 0.94 and 0.82 W, the states of ns-3's and SimGrid's Wi-Fi. Cable: an edge
    // router of 4.21 kW and 160 Gbit/s, Baliga et al., Proceedings of the IEEE 99(1), 2011.
    t.device("cloud", "100 TFLOP/s", "1 kW", {"46 dBm", "0.311", "6.8 W", "6.1 W", "0", true}, "100 W", "512 GiB");
    t.device("edge", "10 TFLOP/s", "300 W", {"46 dBm", "0.311", "6.8 W", "6.1 W", "6.1 W", false}, "50 W", "64 GiB");
    t.device("client", "236 GFLOP/s", "10 W", {"23 dBm", "0.35", "0.57 W", "0.94 W", "0.82 W", false}, "0", "4 GiB");

    t.drawn("device.client.battery", dimension::energy, "", "battery of a client at the start; not set: mains", false);

    t.integer("infer.requests", "100", "requests of each start point (infer; not with a trace)");
    t.choice("infer.arrivals", "poisson", "poisson|burst|trace",
             "requests come as a Poisson process, all at the start, or as infer.trace says");
    t.real("infer.rate", "10", "requests a second of each start point (poisson)");
    t.text("infer.trace", "", "file of times of requests (trace)",
           "CSV of time, for all start points, or of client, time");
    t.integer("infer.batch", "8", "requests that go through a chain together, at most");
    t.integer("infer.in_flight", "0", "batches in a chain at a time, at most; 0: one for each stage, 1: no pipeline");
    t.quantity("infer.deadline", dimension::time, "",
               "mean latency from which on a cluster needs the edge's help (cluster.edge_stage = auto); not set: none",
               false);
    t.text("infer.modules", "", "what finetune has tuned; not set: untuned modules",
           "safetensors files, one for each edge, or one for all");
    t.text("infer.model", "own", "whose tuned modules answer the requests under an edge",
           "own, untuned (the foundation model), or the number of an edge");
    t.text("infer.images", "", "folder of JPEG and PNG to classify; not set: validation samples of each edge",
           "a folder");
    t.choice("delivery", "tunable", "tunable|full|none",
             "what workers lack at the start (infer): the tuned modules, frozen weights too, or nothing");

    t.choice("serve.mode", "real", "real|table", "services are really done; or profits and costs are given (serve)");
    t.integer("serve.rounds", "10", "rounds of service: in each a model is fine-tuned or answers requests");
    t.text("serve.policy", "mlcp", "which service a round has",
           "mlcp, msip, random, always_infer, oracle; with a table several, or all");
    t.onoff("serve.liquidity", "on", "cash may never be negative");
    t.real("serve.cash", "0", "cash at the start");
    t.text("serve.profit", "", "profit of a round of use by level, a list for each model (table)",
           "5,6,7; 4,5,7; 3,7,12");
    t.text("serve.cost", "", "cost of each step to the next level, a list for each model (table)", "3,3; 3,3; 2,2");
    t.text("serve.demand", "1",
           "factor on profits (table), or requests of a round of use; by model, and by round with ; between rounds",
           "10, or 10,20,5, or 10,20,5; 0,0,30");
    t.list("serve.value", "1", "value of a right answer; by edge, or one for all", "numbers");
    t.real("serve.price.time", "0", "price of a second of a service");
    t.real("serve.price.energy", "0", "price of a J, of all nodes of the edge");
    t.real("serve.price.spectrum", "0", "price of a Hz s");
    t.text("serve.curves", "",
           "accuracy after 0, 1, 2, ... rounds as it is believed, a list for each edge; not set: fitted",
           "0.2,0.5,0.6; 0.3,0.4,0.5");
    t.onoff("serve.regret", "on", "train all edges to the end after the run, to know what an oracle would have earned");

    t.choice("pretrain.objective", "supervised", "supervised|masked",
             "a foundation model learns to classify; or, without labels, to predict masked patches");
    t.text("pretrain.root", "", "images to pre-train on; not set: procedural domains",
           "a folder with one folder a class; with objective = masked any folder of JPEG and PNG");
    t.integer("pretrain.epochs", "5", "epochs (pretrain)");
    t.integer("pretrain.samples", "1200", "images of each procedural domain (pretrain)");
    t.integer("pretrain.batch", "64", "samples a batch (pretrain)");
    t.real("pretrain.lr", "2e-3", "learning rate of AdamW (pretrain)");
    t.integer("pretrain.shards", "4", "parts of a batch that ranks share; at most as many ranks can be used");
    t.real("pretrain.mask", "0.6", "part of an image's patches that are masked (masked)");
    t.integer("pretrain.domains", "3", "procedural domains, none of them an edge's or probe.unseen (pretrain)");

    t.choice("device", "auto", "auto|cpu|cuda", "what the ranks compute on; auto: GPUs if every rank has one");
    t.choice("precision", "fp32", "fp32|tf32|bf16",
             "of the frozen blocks' products; tunables and smashed data stay float32 (tf32: GPU)");
    t.onoff("nccl_share_gpu", "off", "ranks on one GPU use NCCL too, each as a host of its own");
    t.integer("job.nodes", "1", "computers that a Slurm job takes");
    t.integer("job.ranks", "0", "ranks of a Slurm job, which --dry-run then shows; 0: as many as were started");
    t.integer("job.gpus_per_node", "0", "GPUs that a Slurm job takes on each computer");
    t.quantity("job.time", dimension::time, "1 h", "time limit of a Slurm job", false);

    t.integer("runtime.threads", "1", "threads of torch and BLAS a rank; changes the last bits of results");
    t.integer("runtime.active_clusters", "1",
              "clusters with batches in flight a rank (clock = real: all, unless it is set)");
    t.quantity("runtime.silence", dimension::time, "10 s", "without a sign of life a rank counts as dead after", false);
    t.integer("checkpoint.every", "1",
              "rounds (pretrain: epochs, infer: parts) between checkpoints; 0: only when asked to stop");
    t.integer("checkpoint.keep", "2", "checkpoints kept");
    t.quantity("checkpoint.part", dimension::time, "10 s",
               "infer: requests are answered in parts that take so long in real time, about", false);

    t.choice("placement", "auto", "auto|cluster|node", "which rank plays which node");
    t.choice("compute", "model", "model|measured",
             "compute times follow from device.*.rate; or from the speed of this computer, measured before round 1");
    t.choice("clock", "virtual", "virtual|real",
             "emulated time is only computed, and the run goes as fast as the machine can; or it is waited for");
    t.real("time_scale", "1", "seconds of real time a second of emulated time (clock = real)");
    t.text("seed", "1", "of every random number", "a whole number");
    t.text("output", "gaisnet.h5", "results file (pretrain: safetensors file, gaisnet.safetensors unless it is set)",
           "a path");
    t.onoff("overwrite", "off", "replace an existing output");
    t.onoff("events", "on", "keep the table of events");
    t.text("resume", "", "go on from a checkpoint", "auto, or a checkpoint folder");
    t.onoff("strict_fidelity", "off", "end with 3 when real time cannot be kept (clock = real)");
    t.quantity("fidelity.tolerance", dimension::time, "10 ms",
               "real time by which one in a hundred messages may be later (strict_fidelity)", false);
    return std::move(t.keys);
}

struct future_item {
    const char* key;
    const char* value; ///< Empty: the key itself.
};

constexpr future_item future[] = {
    {"split.blocks", "auto"},
};

/// Keys, or beginnings of keys, that commands do not look at.
const std::map<std::string, std::vector<std::string>> not_of_command{
    {"finetune", {"infer.", "serve.", "delivery", "pretrain.", "checkpoint.part"}},
    {"plan", {"infer.", "serve.", "delivery", "pretrain.", "checkpoint.part"}},
    {"calibrate", {"infer.", "serve.", "delivery", "pretrain.", "checkpoint.part"}},
    {"serve", {"pretrain.", "train.rounds", "train.stop", "checkpoint.part", "infer.requests", "probe."}},
    {"infer",
     {"serve.", "pretrain.", "train.", "dropout.", "round.", "cloud.", "charge.", "cache", "sense.mode", "sense.rate",
      "sense.buffer", "cs_down.multicast", "link.backhaul.", "device.cloud."}},
    {"pretrain",
     {"checkpoint.part",
      "infer.",
      "serve.",
      "delivery",
      "link.",
      "dropout.",
      "round.",
      "cloud.",
      "scheme",
      "device.",
      "tuning.",
      "train.",
      "split.",
      "cluster.",
      "cs.",
      "cs_down",
      "mobility.",
      "sense.",
      "classes.",
      "probe.samples",
      "data.available",
      "data.label_noise",
      "data.blur",
      "data.noise",
      "data.per_cluster",
      "data.train_fraction",
      "data.root",
      "data.samples",
      "data.source",
      "network.clients",
      "network.layout",
      "network.radius",
      "network.cluster_radius",
      "network.edge_distance",
      "network.file",
      "model.cache",
      "nccl_share_gpu",
      "job.",
      "runtime.active_clusters",
      "charge.",
      "cache",
      "half_duplex",
      "placement",
      "compute",
      "clock",
      "time_scale",
      "events",
      "fidelity.",
      "strict_fidelity",
      "model.weights"}},
};
constexpr const char* yet_of_infer = "train.labels"; ///< It decides where the head is.

/// Keys, or beginnings of keys, that matter with some values of another one only.
struct dependence {
    const char* key;
    const char* on;
    std::vector<std::string> values; ///< Or their beginnings; "": not set.
    bool other_than = false;         ///< All values but these.
    const char* except = "";         ///< A command for which that does not hold.
    const char* only = "";           ///< The command for which alone that holds; "": all.
};
const std::vector<dependence> dependences{
    {"tuning.prompts", "tuning.method", {"prompt_deep", "prompt_shallow", "prefix"}},
    {"tuning.rank", "tuning.method", {"lora"}},
    {"tuning.alpha", "tuning.method", {"lora"}},
    {"tuning.targets", "tuning.method", {"lora"}},
    {"tuning.bottleneck", "tuning.method", {"adapter"}},
    {"classes.scope", "data.partition", {"classes("}},
    {"sense.rate", "sense.mode", {"stream"}},
    {"sense.buffer", "sense.mode", {"stream"}},
    {"data.augment", "data.source", {"folder"}, false, "pretrain"},
    {"data.damaged", "data.source", {"folder"}, false, "pretrain"},
    {"data.classes", "data.source", {"procedural"}, false, "pretrain"},
    {"data.domain", "data.source", {"procedural"}, false, "pretrain"},
    {"data.samples", "data.source", {"procedural"}},
    {"train.momentum", "train.optimizer", {"sgd"}},
    {"mobility.speed", "mobility.model", {"waypoint"}},
    {"mobility.pause", "mobility.model", {"waypoint"}},
    {"cs.access_points", "cs.access", {"cell_free"}},
    {"link.backhaul.", "cloud.period", {"0"}, true},
    {"device.cloud.", "cloud.period", {"0"}, true},
    {"probe.samples", "network.edges", {"1"}, true},
    {"probe.unseen", "network.edges", {"1"}, true, "pretrain"},
    {"scheme.sample_size", "scheme", {"centralised"}},
    {"infer.deadline", "cluster.edge_stage", {"auto"}},
    {"pretrain.mask", "pretrain.objective", {"masked"}},
    {"pretrain.samples", "pretrain.root", {""}},
    {"pretrain.domains", "pretrain.root", {""}},
    // Of a folder the images are as they are; procedural ones are made, and of domains that no edge has.
    {"data.augment", "pretrain.root", {""}, true, "", "pretrain"},
    {"data.damaged", "pretrain.root", {""}, true, "", "pretrain"},
    {"data.classes", "pretrain.root", {""}, false, "", "pretrain"},
    {"data.domain", "pretrain.root", {""}, false, "", "pretrain"},
    {"data.partition", "pretrain.root", {""}, false, "", "pretrain"},
    {"network.edges", "pretrain.root", {""}, false, "", "pretrain"},
    {"network.clusters", "pretrain.root", {""}, false, "", "pretrain"},
    {"probe.unseen", "pretrain.root", {""}, false, "", "pretrain"},
};

/// What serve looks at with a table of given numbers.
const std::set<std::string> of_service_table{"serve.mode", "serve.rounds", "serve.policy", "serve.liquidity",
                                             "serve.cash", "serve.profit", "serve.cost",   "serve.demand",
                                             "seed",       "output",       "overwrite"};

} // namespace

bool concerns(const std::string& key, const std::string& command) {
    const auto found = not_of_command.find(command);
    return found == not_of_command.end() || (command == "infer" && key == yet_of_infer) ||
           std::none_of(found->second.begin(), found->second.end(),
                        [&](const std::string& beginning) { return key.starts_with(beginning); });
}

std::string without_effect(const std::string& key, const std::string& command,
                           const std::function<std::string(const std::string&)>& value_of) {
    if (!concerns(key, command)) {
        return command + " does not look at it";
    }
    if (command == "serve" && value_of("serve.mode") == "table" && !of_service_table.contains(key)) {
        return "serve.mode is table";
    }
    for (const auto& one : dependences) {
        const std::string only = one.only;
        if (!key.starts_with(one.key) || command == one.except || (!only.empty() && command != only)) {
            continue;
        }
        const auto value = value_of(one.on);
        const bool listed = std::any_of(one.values.begin(), one.values.end(), [&](const std::string& word) {
            return one.other_than || word.empty() ? value == word : value.starts_with(word);
        });
        if (listed == one.other_than) {
            return std::string(one.on) + (value.empty() ? " is not set" : " is " + value);
        }
    }
    return {};
}

const std::vector<key_info>& all_keys() {
    static const auto keys = make_keys();
    return keys;
}

const key_info* find_key(const std::string& name) {
    const auto& keys = all_keys();
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

bool names_settings_file(const std::string& key) {
    return key == "network.file" || key == "mobility.file" || key == "infer.trace" ||
           (key.starts_with("link.") && key.ends_with(".trace"));
}

std::string not_built(const std::string& key, const std::string& value) {
    for (const auto& item : future) {
        const std::string its_value = item.value;
        if (key == item.key && (its_value.empty() || value == its_value || value.starts_with(its_value + "("))) {
            return its_value.empty() ? key + " is not built yet" : key + " = " + value + " is not built yet";
        }
    }
    return {};
}

} // namespace gaisnet
