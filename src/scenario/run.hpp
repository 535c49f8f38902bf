#pragma once

// How a run is executed: devices, [job], [runtime], [checkpoint], clock, seed, output.

#include "settings/key.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// The devices on which the ranks compute.
enum class device_choice { automatic, cpu, cuda };
inline constexpr word<device_choice> device_words[] = {
    {"auto", device_choice::automatic}, {"cpu", device_choice::cpu}, {"cuda", device_choice::cuda}};

/// Arithmetic of frozen blocks. Tunables, their gradients and smashed data are always float32.
enum class compute_precision {
    fp32,
    tf32, ///< float32 with matrix products in TF32; on GPUs.
    bf16, ///< Frozen weights and activations in bfloat16.
};
inline constexpr word<compute_precision> precision_words[] = {
    {"fp32", compute_precision::fp32}, {"tf32", compute_precision::tf32}, {"bf16", compute_precision::bf16}};

/// For the ranks; independent of what is emulated.
struct compute_settings {
    static constexpr section key{""};
    device_choice device =
        key.choice("device", "auto", device_words, "what the ranks compute on; auto: GPUs if every rank has one",
                   {.identity = false});
    compute_precision precision =
        key.choice("precision", "fp32", precision_words,
                   "of the frozen blocks' products; tunables and smashed data stay float32 (tf32: GPU)");
    bool nccl_share_gpu = key.onoff("nccl_share_gpu", "off", "ranks on one GPU use NCCL too, each as a host of its own",
                                    {.commands = commands::emulating, .identity = false});
};

/// For Slurm.
struct job_settings {
    static constexpr section key{"job", commands::emulating};
    int nodes = key.count("nodes", "1", "computers that a Slurm job takes", at_least(1), {.identity = false});
    int ranks = key.count("ranks", "0", "ranks of a Slurm job, which --dry-run then shows; 0: as many as were started",
                          at_least(0), {.identity = false});
    int gpus_per_node = key.count("gpus_per_node", "0", "GPUs that a Slurm job takes on each computer", at_least(0),
                                  {.identity = false});
    /// s
    double time =
        key.quantity("time", dimension::time, "1 h", "time limit of a Slurm job", above(0), {.identity = false});
};

/// How many clusters compute together, at most.
struct fusion_rule {
    bool automatic = true;
    int clusters = 1; ///< Unless it is automatic; 1: each computes alone.
};

struct runtime_settings {
    static constexpr section key{"runtime"};
    fusion_rule fuse = key.parsed(
        "fuse", "auto", "off, auto, or a number of clusters",
        "clusters of equal chains of which so many at a time are computed as one batch, on one rank; changes the "
        "last bits of results (tuning.method = full: off)",
        parse_fusion, {.commands = commands::training});
    bool merge_micro_batches = key.onoff(
        "merge_micro_batches", "off",
        "compute a batch at once and charge its micro-batches: faster where nothing overlaps; needs whole chains "
        "on ranks; changes the last bits of results",
        {.commands = commands::training});
    int threads = key.count("threads", "1", "threads of torch and BLAS a rank; changes the last bits of results",
                            within(1, 1024));
    int active_clusters =
        key.count("active_clusters", "1",
                  "clusters with batches in flight a rank, or groups of runtime.fuse (clock = real: all, "
                  "unless it is set)",
                  at_least(1), {.commands = commands::emulating, .identity = false});
    /// Time without a heartbeat, s, after which a rank counts as dead.
    double silence =
        key.quantity("silence", dimension::time, "10 s", "without a sign of life a rank counts as dead after",
                     within(3, 600, "3 s to 600 s"), {.identity = false});

private:
    static fusion_rule parse_fusion(const std::string&);
};

struct checkpoint_settings {
    static constexpr section key{"checkpoint"};
    int every = key.count("every", "1",
                          "rounds (pretrain: epochs, infer: parts) between checkpoints; 0: only when asked to stop",
                          at_least(0), {.identity = false});
    int keep = key.count("keep", "2", "checkpoints kept", at_least(1), {.identity = false});
    /// s of real time
    double part_s = key.quantity("part", dimension::time, "10 s",
                                 "infer: requests are answered in parts that take so long in real time, about",
                                 above(0), {.commands = commands::infer, .identity = false});
};

struct placement_request;

/// A rule that gives every node a rank; see runtime/placement.hpp.
struct placement_entry {
    const char* name;
    /// \returns the rank of every node, 0 to ranks - 1. \throws usage_error when ranks would have nothing to do.
    std::vector<int> (*place)(const placement_request&);
};

enum class compute_model { by_rate, measured };
inline constexpr word<compute_model> compute_model_words[] = {{"model", compute_model::by_rate},
                                                              {"measured", compute_model::measured}};
enum class clock_kind { virtual_time, real };
inline constexpr word<clock_kind> clock_words[] = {{"virtual", clock_kind::virtual_time}, {"real", clock_kind::real}};

/// Keys without a section.
struct run_settings {
    static constexpr section key{""};
    std::string placement = key.named<placement_entry>("placement", "auto", "which rank plays which node",
                                                       {.commands = commands::emulating, .identity = false});
    /// Source of compute times.
    compute_model computing = key.choice(
        "compute", "model", compute_model_words,
        "compute times follow from device.*.rate; or from the speed of this computer, measured before round 1",
        {.commands = commands::emulating});
    clock_kind clock =
        key.choice("clock", "virtual", clock_words,
                   "emulated time is only computed, and the run goes as fast as the machine can; or it is waited for",
                   {.commands = commands::emulating, .identity = false});
    double time_scale = key.real("time_scale", "1", "seconds of real time a second of emulated time (clock = real)",
                                 above(0), {.commands = commands::emulating, .identity = false});
    std::uint64_t seed = key.parsed("seed", "1", "a whole number", "of every random number", parse_seed);
    std::string output = key.path("output", "gaisnet.h5", "a path",
                                  "results file (pretrain: safetensors file, gaisnet.safetensors unless it is set)",
                                  {.identity = false});
    bool overwrite = key.onoff("overwrite", "off", "replace an existing output", {.identity = false});
    /// Of whose clusters the table of events is kept: 0 none, 1 all.
    double events = key.parsed("events", "on", "on, off, or a part of the clusters between 0 and 1",
                               "keep the table of events; 0.01: of every hundredth cluster, and of edges and the cloud",
                               parse_events, {.commands = commands::emulating, .identity = false});
    std::string resume =
        key.path("resume", "", "auto, or a checkpoint folder", "go on from a checkpoint", {.identity = false});
    bool strict_fidelity =
        key.onoff("strict_fidelity", "off", "end with 3 when real time cannot be kept (clock = real)",
                  {.commands = commands::emulating, .identity = false});
    /// s
    double fidelity_tolerance =
        key.quantity("fidelity.tolerance", dimension::time, "10 ms",
                     "real time by which one in a hundred messages may be later (strict_fidelity)", above(0),
                     {.commands = commands::emulating, .identity = false});

private:
    static std::uint64_t parse_seed(const std::string&);
    static double parse_events(const std::string&);
};

/// \throws usage_error
void check_run(scenario&, const value_reader&);

} // namespace gaisnet
