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
    std::string bus;  ///< PCI address; the parts of a GPU that was cut up (MIG) have one, but a UUID each.
    std::string name;
    std::uint64_t memory_bytes = 0;
};

/// What a rank finds at its start.
struct rank_report {
    std::string host;
    std::string cores;             ///< That it may run on: "0-3,8".
    std::vector<gpu_info> gpus;    ///< That it sees, in CUDA's order.
    std::string why_none;          ///< When it sees no GPU.
    int nccl_loaded = 0;           ///< As NCCL counts: 22809 is 2.28.9; 0: there is none.
    int nccl_built = 0;            ///< That the program was built with.
    bool mpi_takes_device = false; ///< MPI reads and writes device memory (CUDA-aware).
};

/// The reports of all ranks, on all ranks. Every rank has to call it.
std::vector<rank_report> exchange_reports(transport&, const rank_report& mine);

/// Where a rank computes.
struct rank_device {
    std::string host, cores;
    int index = -1; ///< Among the GPUs that it sees; -1: the CPU.
    gpu_info gpu;
    int local = 0;     ///< Number of the rank among those of its host.
    int gpu_first = 0; ///< Smallest rank on the same GPU.
    int gpu_slot = 0;  ///< Number of the rank among those of the GPU.
};

/// Where all ranks compute, the same on every rank.
struct device_plan {
    bool cuda = false;
    std::vector<rank_device> ranks;
    std::vector<int> nccl;         ///< Ranks that NCCL connects, sorted; none or at least two.
    bool nccl_shares_gpu = false;  ///< Several of them are on one GPU.
    bool mpi_takes_device = false; ///< On all ranks.
    std::vector<std::string> warnings;
};

/// Decides which rank computes where: a rank takes the GPU whose number is its own among the ranks of its host, modulo
/// the GPUs that it sees. NCCL connects the ranks that have a whole GPU for themselves, or all when it is told to share.
/// \throws usage_error naming rank, host and reason: no GPU where one is demanded, GPUs on some ranks only, NCCL of
/// different versions, or older than the program was built with.
device_plan plan_devices(device_choice, bool nccl_shares_gpu, const std::vector<rank_report>&);

/// Environment variables that NCCL needs for a rank of that plan: NCCL_HOSTID has to be set, the others where the user
/// has not set them.
std::map<std::string, std::string> nccl_settings(const device_plan&, int rank);

/// "2.28.9" for 22809.
std::string nccl_version_text(int version);

/// A line a rank: host, cores, GPU with its UUID.
std::string describe_devices(const device_plan&);

} // namespace gaisnet
