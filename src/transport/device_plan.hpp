#pragma once

#include "scenario/run.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// A GPU as a process sees it.
struct gpu_info {
    std::string uuid; ///< "GPU-" and 32 hexadecimal digits in groups, as nvidia-smi prints it.
    std::string bus;  ///< PCI address; the slices of a partitioned GPU (MIG) share it, but have separate UUIDs.
    std::string name;
    std::uint64_t memory_bytes = 0;
};

/// What a rank detects at its start.
struct rank_report {
    std::string host;
    std::string cores;             ///< Cores that it may use: "0-3,8".
    std::vector<gpu_info> gpus;    ///< Visible GPUs, in CUDA's order.
    std::string why_none;          ///< The reason if it sees no GPU.
    int nccl_loaded = 0;           ///< NCCL's version code: 22809 is 2.28.9; 0: there is no NCCL.
    int nccl_built = 0;            ///< Version that the program was built with.
    bool mpi_takes_device = false; ///< MPI reads and writes device memory (CUDA-aware).
};

/// The reports of all ranks, on all ranks. Every rank has to call it.
std::vector<rank_report> exchange_reports(transport&, const rank_report& mine);

/// The device of a rank.
struct rank_device {
    std::string host, cores;
    int index = -1; ///< Among the GPUs that the rank sees; -1: the CPU.
    gpu_info gpu;
    int local = 0;     ///< Number of the rank on its host.
    int gpu_first = 0; ///< Smallest rank on the same GPU.
    int gpu_slot = 0;  ///< Number of the rank on its GPU.
};

/// The devices of all ranks; the same on every rank.
struct device_plan {
    bool cuda = false;
    std::vector<rank_device> ranks;
    std::vector<int> nccl;         ///< Ranks that NCCL connects, sorted; none or at least two.
    bool nccl_shares_gpu = false;  ///< Several of them are on one GPU.
    bool mpi_takes_device = false; ///< True if it does so on all ranks.
    std::vector<std::string> warnings;
};

/// Assigns a device to each rank: a rank takes the GPU with its own number on its host, modulo the GPUs that it sees.
/// NCCL connects the ranks that have a GPU to themselves, or all if sharing is allowed. \throws usage_error naming
/// rank, host and reason: no GPU where one is required, GPUs on some ranks only, different NCCL versions, or a version
/// older than the program was built with.
device_plan plan_devices(device_choice, bool nccl_shares_gpu, const std::vector<rank_report>&);

/// Environment variables that NCCL needs for a rank of that plan. NCCL_HOSTID must be set; the others only if the user
/// has not set them.
std::map<std::string, std::string> nccl_settings(const device_plan&, int rank);

/// "2.28.9" for 22809.
std::string nccl_version_text(int version);

/// One line per rank: host, cores, GPU with its UUID.
std::string describe_devices(const device_plan&);

} // namespace gaisnet
